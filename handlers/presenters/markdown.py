"""temp"""

from handlers.presenters.text import Block, plain


def rich_text(markdown: str, *, limit: int = 6000) -> list[Block]:
    return [plain(markdown)]
