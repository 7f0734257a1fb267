"""Colours, fonts and sizes of the page; one look, by day and by night."""

from typing import Any, Final

import gradio as gr

from ui.markup import STATIC

# Fonts that the system has, by script; nothing is loaded. Windows, Android, Apple and Debian's fonts-noto each have
# one for Devanagari, Ethiopic, Bengali and Thai among them.
FONTS: Final = (
    "Noto Sans", "Segoe UI", "Roboto", "Helvetica Neue", "Arial",
    "Noto Sans Devanagari", "Nirmala UI", "Kohinoor Devanagari",
    "Noto Sans Ethiopic", "Ebrima", "Nyala", "Kefa",
    "Noto Sans Bengali", "Bangla Sangam MN",
    "Noto Sans Thai", "Leelawadee UI", "Thonburi",
    "Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic UI", "Hiragino Sans",
    "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo",
    "sans-serif",
)  # fmt: skip
_MONO: Final = ("ui-monospace", "Consolas", "Noto Sans Mono", "monospace")

HEAD: Final = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<script>{(STATIC / 'page.js').read_text(encoding='utf-8')}</script>"
)


def build_theme() -> Any:
    """The theme. Its dark half repeats the light one: the page's own HTML has one set of colours, checked for
    contrast."""
    teal = gr.themes.Color("#f0fdfa", "#ccfbf1", "#99f6e4", "#5eead4", "#2dd4bf", "#14b8a6", "#0f766e", "#115e59",
                           "#134e4a", "#0f3d3a", "#042f2e")  # fmt: skip
    theme = gr.themes.Base(
        primary_hue=teal,
        neutral_hue="slate",
        radius_size="md",
        text_size="md",
        font=list(FONTS),
        font_mono=list(_MONO),
    ).set(
        body_background_fill="#f6f8fa",
        body_text_color="#1b2733",
        body_text_color_subdued="#51606f",
        block_background_fill="#ffffff",
        block_border_color="#d5dde5",
        block_label_text_color="#36454f",
        block_title_text_color="#36454f",
        block_shadow="none",
        color_accent="#0f766e",
        color_accent_soft="#e3f4f1",
        border_color_accent="#0f766e",
        link_text_color="#0f766e",
        checkbox_background_color_selected="#0f766e",
        checkbox_border_color_selected="#0f766e",
        checkbox_border_color="#6b7a88",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_selected="transparent",
        checkbox_label_border_width="0px",
        button_border_width="1px",
        input_background_fill="#ffffff",
        input_border_color="#8795a3",
        input_border_color_focus="#0f766e",
        input_placeholder_color="#5b6b7a",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_text_color="#ffffff",
        button_primary_border_color="#0f766e",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#eef3f6",
        button_secondary_border_color="#a9b5c0",
        button_secondary_text_color="#1b2733",
        button_cancel_background_fill="#b42318",
        button_cancel_background_fill_hover="#8f1c13",
        button_cancel_text_color="#ffffff",
        button_cancel_border_color="#b42318",
    )
    for name in [name for name in vars(theme) if name.endswith("_dark")]:
        setattr(theme, name, getattr(theme, name.removesuffix("_dark"), None))
    return theme
