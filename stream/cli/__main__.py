"""`python -m stream.cli`: how our own processes are started."""

from stream.cli.main import main

main()
