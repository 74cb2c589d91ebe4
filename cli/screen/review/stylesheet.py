"""Where things stand on the screen, in textual's style sheets."""

from typing import Final

from cli.screen.review.palette import DIM, GROUND, HEAD, LINE, NAMED, PANEL, TEXT

CSS: Final = f"""
Screen {{ background: {GROUND}; color: {TEXT}; }}
#top {{ height: 1; padding: 0 1; background: {HEAD}; text-wrap: nowrap; text-overflow: ellipsis; }}
#panes {{ height: 1fr; }}
#tree {{
    width: 36%; min-width: 30; max-width: 58; height: 1fr; background: {PANEL};
    scrollbar-size: 1 1; overflow-x: hidden; overflow-y: scroll;
}}
#tree.hidden {{ display: none; }}
#right {{ width: 1fr; height: 1fr; }}
#head {{ height: 1; background: {PANEL}; color: {TEXT}; text-wrap: nowrap; text-overflow: clip; }}
#diff {{ height: 1fr; background: {GROUND}; scrollbar-size: 1 1; overflow-x: hidden; overflow-y: scroll; }}
FileTree, DiffView, Page {{
    scrollbar-background: {PANEL}; scrollbar-color: {LINE};
    scrollbar-background-hover: {PANEL}; scrollbar-color-hover: {DIM};
    scrollbar-background-active: {PANEL}; scrollbar-color-active: {NAMED["blue"]};
}}
#says {{ height: auto; max-height: 3; padding: 0 1; background: {HEAD}; color: {NAMED["yellow"]}; display: none; }}
#says.on {{ display: block; }}
Input, Input:focus {{ height: 1; border: none; padding: 0 1; background: {HEAD}; color: {TEXT}; }}
#search {{ display: none; }}
#search.on {{ display: block; }}
Footer {{ background: {PANEL}; }}
FooterKey {{ background: {PANEL}; }}
FooterKey .footer-key--key {{ color: {NAMED["yellow"]}; background: {PANEL}; padding: 0; }}
FooterKey .footer-key--description {{ color: {DIM}; background: {PANEL}; padding: 0 0 0 1; }}
Sheet {{ align: center middle; background: {GROUND} 60%; }}
.sheet {{
    width: 90%; max-width: 96; height: auto; max-height: 100%; background: {PANEL};
    border: round {NAMED["blue"]}; padding: 0 1;
}}
.sheet .title {{ text-style: bold; color: {NAMED["blue"]}; margin: 0 0 1 0; height: auto; }}
.sheet Page {{ background: {PANEL}; scrollbar-size: 1 1; overflow-x: hidden; }}
.sheet .prompt {{ color: {NAMED["yellow"]}; margin: 1 0 0 0; height: auto; }}
.sheet .keys {{ color: {DIM}; margin: 1 0 0 0; height: auto; }}
"""
