"""The image of a session, built once for all tests here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import docker
import pytest

from tests.binder import image
from tests.conftest import ROOT
from tests.support.engine import private_engine, why_not

ENGINE_VARIABLE = "COURSE_TEST_BINDER_ENGINE"
"""Names an engine that is to be used, and its image, if it has one: for whoever works on these tests."""


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """An engine that has the image."""
    if not os.environ.get(ENGINE_VARIABLE) and os.geteuid():
        pytest.skip(why_not() or "Only root can start an engine that builds.")
    with private_engine(builds=True) as private:
        address = os.environ.get(ENGINE_VARIABLE) or private
        environment = image.environment_of(address)
        with closing(docker.DockerClient(base_url=address, timeout=600)) as client:
            if not client.images.list(image.BASE):
                image.make_base(environment)
            image.build(ROOT, image.with_buildx(environment, tmp_path_factory.mktemp("buildx")))
            yield client
