"""Small products, each in a square of 48: one line of SVG."""

_BELLS = '<path class="n" d="M10 16a6 6 0 0 1 8-6M38 16a6 6 0 0 0-8-6M15 38l-3 4M33 38l3 4"/>'

ICONS = {
    "cup": '<path class="n" d="M34 19h4a5 5 0 0 1 5 5v2a5 5 0 0 1-5 5h-4"/>'
    '<path d="M9 13h25v20a6 6 0 0 1-6 6H15a6 6 0 0 1-6-6z"/>'
    '<path class="n" d="M9 27l4-5 4 5 4-5 4 5 4-5 5 5"/>',
    "clock": f'{_BELLS}<circle cx="24" cy="26" r="14"/><circle class="w" cx="24" cy="26" r="10"/>'
    '<path class="n" d="M24 19v7l5 3"/>',
    "lamp": '<path class="n" d="M24 24v14"/><path d="M16 7h16l7 17H9z"/>'
    '<path class="s" d="M14 42a10 5 0 0 1 20 0z"/>',
    "candle": '<path d="M17 20h14v18H17z"/><path class="s" d="M11 38h26l-3 4H14z"/>'
    '<path class="w" d="M24 5c5 6 5 11 0 12c-5-1-5-6 0-12z"/>',
    "cushion": '<path d="M9 10q15 5 30 0q-5 14 0 28q-15-5-30 0q5-14 0-28z"/>'
    '<path class="n" d="M18 18l12 12M30 18L18 30"/><circle class="s" cx="24" cy="24" r="3"/>',
    "basket": '<path class="n" d="M14 21a10 12 0 0 1 20 0"/><path d="M8 21h32l-4 19H12z"/>'
    '<path class="n" d="M10 28h28M11 34h26M19 21l1 19M29 21l-1 19"/>',
    "tent": '<path d="M24 9l18 31H6z"/><path class="s" d="M24 21l8 19H16z"/>',
    "bottle": '<path d="M20 6h8v7l4 6v20a3 3 0 0 1-3 3H19a3 3 0 0 1-3-3V19l4-6z"/>'
    '<path class="s" d="M16 24h16v9H16z"/>',
}
