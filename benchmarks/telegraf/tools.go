//go:build tools

// Package tools pins the Telegraf that the benchmark runs beside Garonne.
package tools

import _ "github.com/influxdata/telegraf/cmd/telegraf"
