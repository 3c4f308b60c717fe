"""`python -m services` is `garonne`: for processes that start another one with the same interpreter."""

from services.cli import main

if __name__ == "__main__":
    main()
