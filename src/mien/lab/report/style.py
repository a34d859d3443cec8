"""How a report looks: light and dark by the reader's setting, from phone to wide screen."""

CSS = """\
:root {
  --paper: #ffffff; --panel: #f3f4f6; --ink: #1b1f24; --muted: #5b6470;
  --line: #d0d4da; --link: #00608f; --note: #fff4d6; --note-edge: #b07800;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1f242b; --ink: #e7eaee; --muted: #a3adb9;
    --line: #3a424d; --link: #7cc4f0; --note: #33290f; --note-edge: #e0a82e;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0 0 1rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 0 0 .6rem; font-size: 1.3rem; line-height: 1.3; }
h1, h2, p, figcaption, li, footer { overflow-wrap: anywhere; }
p { margin: 0 0 .8rem; max-width: 44rem; }
a { color: var(--link); }
.note {
  max-width: none; padding: .75rem 1rem; font-weight: 600;
  background: var(--note); border-left: .3rem solid var(--note-edge); border-radius: .25rem;
}
nav { padding: .4rem 0 0; }
nav ol { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 0; padding: 0; }
nav li { list-style: none; }
nav a { display: inline-block; padding: .2rem 0; }
section { margin-top: 2rem; padding-top: 1.6rem; border-top: 1px solid var(--line); }
.scroll { overflow-x: auto; }
.scroll:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; margin: .4rem 0 1rem; font-size: .95rem; }
caption { padding: 0 0 .4rem; color: var(--muted); text-align: left; }
th, td {
  padding: .45rem 1rem .45rem .6rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: baseline; overflow-wrap: break-word; max-width: 22rem;
}
thead th { background: var(--panel); border-bottom: 2px solid var(--line); white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.pictures { margin-top: .8rem; }
.several {
  display: grid; gap: 1.25rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr));
}
.several .wide { grid-column: 1 / -1; }
figure { margin: 0; }
figure + figure { margin-top: 1.25rem; }
.several figure + figure { margin-top: 0; }
img {
  display: block; max-width: 100%; height: auto;
  background: #ffffff; border: 1px solid var(--line); border-radius: .5rem;
}
figcaption { margin-top: .4rem; color: var(--muted); font-size: .92rem; }
footer {
  margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--muted); font-size: .92rem;
}
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  .wide img { max-width: none; width: 42rem; }
  .wide::after { content: "Scroll the picture sideways."; color: var(--muted); font-size: .85rem; }
  td:last-child:not(.number) { min-width: 15rem; }
}
@media print {
  main { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
  nav { display: none; }
}
"""
