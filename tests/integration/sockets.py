"""HTTP by hand, for what no server does: the beginning of a request."""


def read_head(connection):
    """Up to the empty line, and what came with it; less if the other side ends before."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            break
        head += piece
    return head
