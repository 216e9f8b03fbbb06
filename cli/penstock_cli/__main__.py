"""`python -m penstock_cli`: the `penstock` command for whoever has the interpreter and not the script on the path."""

from penstock_cli.main import main

main()
