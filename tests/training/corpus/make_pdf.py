"""Small PDFs, written by hand."""

from collections.abc import Sequence


def make_pdf(pages: Sequence[str], *, points: tuple[float, float] = (300, 400), encrypted: bool = False) -> bytes:
    """A PDF of pages with these texts in Helvetica (ASCII), a line each; a page without text is empty.

    Args:
        pages: the texts.
        points: width and height of every page, 72 to an inch.
        encrypted: whether it asks for a password, which nobody knows.
    """
    width, height = points
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, text in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {5 + 2 * index} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>".encode()
        )
        drawn = _content(text, height).encode("ascii")
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn))
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if encrypted:
        key = "41" * 32
        trailer += f" /ID [<{key}> <{key}>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{key}> /U <{key}> >>"
    return _file(objects, trailer)


def _content(text: str, height: float) -> str:
    if not text:
        return ""
    escaped = (line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n"))
    shown = "\n".join(f"({line}) Tj T*" for line in escaped)
    return f"BT /F 12 Tf 16 TL 20 {height - 40} Td\n{shown}\nET"


def _file(objects: Sequence[bytes], trailer: str) -> bytes:
    made, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    return bytes(made) + f"{head}{table}trailer\n<< {trailer} >>\nstartxref\n{len(made)}\n%%EOF\n".encode()
