"""The command line: `python3 -m e2e.cluster up|down|status|smoke|image`. Reads arguments; does nothing itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import images, node, smoke
from .cache import lock
from .console import ClusterError, answer, say
from .daemons import commands
from .debian import widen_path
from .layout import Layout, default_directory
from .processes import Daemon


def main() -> int:
    arguments = _parser().parse_args()
    widen_path()
    layout = Layout(arguments.dir.absolute())
    try:
        return int(arguments.do(layout, arguments) or 0)
    except ClusterError as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--dir", type=Path, default=default_directory(), help="the cluster's directory (default: %(default)s)"
    )
    parser = argparse.ArgumentParser(prog="python3 -m e2e.cluster", description="A throw-away single-node Kubernetes.")
    sub = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, action, text in (
        ("up", _up, "start it (building what is missing), wait for it, print the path of its kubeconfig"),
        ("down", _down, "stop it, and remove its directory"),
        ("status", _status, "say what runs; exit with 1 if the cluster does not"),
        ("smoke", _smoke, "check that the cluster does what Penstock needs of one"),
    ):
        sub.add_parser(name, parents=[common], help=text).set_defaults(do=action)
    image = sub.add_parser("image", help="container images").add_subparsers(required=True, metavar="COMMAND")
    build = image.add_parser("build", parents=[common], help="build an image, and import it if the cluster runs")
    build.add_argument("name", metavar="NAME", help="with a tag, e.g. localhost/penstock:dev")
    build.add_argument("dockerfile", metavar="DOCKERFILE", type=Path)
    build.add_argument("context", metavar="CONTEXT", type=Path, help="a directory in a git repository")
    build.add_argument("--build-arg", metavar="NAME=VALUE", action="append", default=[])
    build.add_argument(
        "--include", metavar="PATH", action="append", default=[], help="only this part of the context (may be repeated)"
    )
    build.set_defaults(do=_image_build)
    return parser


def _up(layout: Layout, _: argparse.Namespace) -> None:
    node.up(layout)
    say(f"kubectl and helm: export PATH={layout.bin}:$PATH")
    say("now: export KUBECONFIG to")
    answer(str(layout.kubeconfig))


def _down(layout: Layout, _: argparse.Namespace) -> None:
    node.down(layout)


def _status(layout: Layout, _: argparse.Namespace) -> int:
    for name in commands(layout):
        pid = Daemon(layout, name).pid()
        answer(f"{name:24} {'running, pid ' + str(pid) if pid else 'not running'}")
    running = node.is_running(layout)
    answer(f"{'cluster':24} {'ready, KUBECONFIG=' + str(layout.kubeconfig) if running else 'not running'}")
    return 0 if running else 1


def _smoke(layout: Layout, _: argparse.Namespace) -> None:
    smoke.check(layout)


def _image_build(layout: Layout, arguments: argparse.Namespace) -> None:
    image = images.Image(
        arguments.name,
        arguments.dockerfile,
        arguments.context,
        tuple(arguments.build_arg),
        tuple(arguments.include),
    )
    archive = images.build(image)
    if Daemon(layout, "containerd").pid() is None:
        say("no cluster runs: built, not imported")
    else:
        with lock("import"):
            node.import_image(layout, image.name, archive)
    answer(image.name)


if __name__ == "__main__":
    sys.exit(main())
