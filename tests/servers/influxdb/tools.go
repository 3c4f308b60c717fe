//go:build tools

// Package tools pins the InfluxDB server that the tests run against.
package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
