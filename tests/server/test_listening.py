"""The socket of the service."""

from __future__ import annotations

import socket

from attrformer.server.options import ServeOptions
from attrformer.server.server import _listen


def test_the_body_of_an_answer_does_not_wait_for_an_acknowledgement_of_its_head() -> None:
    with _listen(ServeOptions(host="127.0.0.1", port=0)) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
