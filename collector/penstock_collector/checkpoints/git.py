"""Checkpoints in a Git repository elsewhere, a commit each, whose branch its server lets nobody rewrite.

What doesn't belong: what is written (`keeper.py`).
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dulwich.client import AbstractHttpGitClient, HTTPUnauthorized, LocalGitClient, Urllib3HttpGitClient
from dulwich.config import ConfigDict
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.pack import UnpackedObject
from dulwich.refs import Ref
from dulwich.repo import Repo
from urllib3.exceptions import HTTPError

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.place import PlaceError, another

_AUTHOR = b"Penstock collector <collector@penstock.invalid>"
_TIMEOUT_SECONDS = 60.0


class GitPlace:
    """One branch of a repository. What is there is kept in a directory too, so that only what is new is fetched."""

    def __init__(self, settings: CheckpointSettings, copy: Path) -> None:
        self._url = settings.checkpoint_git_url
        self._ref = Ref(f"refs/heads/{settings.checkpoint_git_branch}".encode())
        self._user = settings.checkpoint_git_user
        self._password_file = settings.checkpoint_git_password_file
        self._ca_file = settings.checkpoint_ca_file
        self._copy = copy

    def put(self, name: str, content: bytes) -> None:
        """Add a file by a commit of its own. Raises PlaceError."""
        try:
            self._put(name, content)
        except HTTPUnauthorized:
            raise PlaceError(f"{self._url} does not let this user and password in") from None
        except (GitProtocolError, NotGitRepository, HTTPError, OSError, KeyError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise PlaceError(f"the checkpoint {name} cannot be added to {self._url}: {said}") from None

    def _put(self, name: str, content: bytes) -> None:
        client, path = self._client()
        with self._opened() as repo:
            fetched = client.fetch(
                path, repo, determine_wants=lambda refs, depth=None: [refs[self._ref]] if self._ref in refs else []
            )
            head = fetched.refs.get(self._ref)
            blob = Blob.from_string(content)
            tree = self._tree(repo, head, name, blob)
            if tree is None:
                return
            commit = self._commit(repo, head, tree, name)

            def pack(have: Set[ObjectID], want: Set[ObjectID], **options: Any) -> tuple[int, Iterator[UnpackedObject]]:
                return repo.generate_pack_data(set(have), set(want), **options)

            pushed = client.send_pack(path, lambda _: {self._ref: commit}, pack)
            refused = (pushed.ref_status or {}).get(self._ref)
            if refused:
                raise GitProtocolError(str(refused))

    def _opened(self) -> Repo:
        if (self._copy / "HEAD").exists():
            return Repo(str(self._copy))
        self._copy.mkdir(parents=True, exist_ok=True)
        return Repo.init_bare(str(self._copy))

    def _tree(self, repo: Repo, head: ObjectID | None, name: str, blob: Blob) -> ObjectID | None:
        """The tree with the file added, None if it is there already."""
        directory, _, file = name.encode().rpartition(b"/")
        outer, inner = Tree(), Tree()
        if head is not None:
            commit = repo[head]
            if not isinstance(commit, Commit):
                raise GitProtocolError("the branch does not end in a commit")
            outer = _tree_of(repo, commit.tree)
        if directory in outer:
            inner = _tree_of(repo, outer[directory][1])
        if file in inner:
            if inner[file][1] != blob.id:
                raise another(f"{name} in {self._url}")
            return None
        inner.add(file, stat.S_IFREG | 0o644, blob.id)
        outer.add(directory, stat.S_IFDIR, inner.id)
        for one in (blob, inner, outer):
            repo.object_store.add_object(one)
        return outer.id

    def _commit(self, repo: Repo, head: ObjectID | None, tree: ObjectID, name: str) -> ObjectID:
        commit = Commit()
        commit.tree = tree
        commit.parents = [head] if head is not None else []
        commit.author = commit.committer = _AUTHOR
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = f"Checkpoint {name}\n".encode()
        repo.object_store.add_object(commit)
        return commit.id

    def _client(self) -> tuple[AbstractHttpGitClient | LocalGitClient, str]:
        parts = urlsplit(self._url)
        if parts.scheme == "file":
            return LocalGitClient(), parts.path
        config = ConfigDict()
        if self._ca_file is not None:
            config.set((b"http",), b"sslCAInfo", str(self._ca_file).encode())
        password = self._password_file.read_text().strip() if self._password_file is not None else None
        base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        # Read each time, so that a secret may be replaced.
        client = Urllib3HttpGitClient(
            base, config=config, username=self._user or None, password=password, timeout=_TIMEOUT_SECONDS
        )
        return client, parts.path


def _tree_of(repo: Repo, name: ObjectID) -> Tree:
    found = repo[name]
    if not isinstance(found, Tree):
        raise GitProtocolError("a file stands where a directory of checkpoints was due")
    return found
