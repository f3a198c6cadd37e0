"""Parts of scripts/screenshots, and of the tests that need a browser."""
