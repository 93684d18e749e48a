/** The page of the admin API. Everything it shows comes by its script, as text. */
export const PAGE_HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Upsync</title>
    <link rel="stylesheet" href="page.css" />
    <script type="module" src="page.js"></script>
  </head>
  <body>
    <header>
      <h1>Upsync</h1>
      <p id="summary" role="status">Loading…</p>
      <input id="find" type="search" autocomplete="off" placeholder="Find a name or an address" aria-label="Find" />
    </header>
    <main id="upstreams"></main>
    <section id="names" aria-labelledby="names-title" hidden>
      <h2 id="names-title">Names</h2>
      <p id="served"></p>
      <table><tbody id="name-rows"></tbody></table>
    </section>
    <section aria-labelledby="changes-title">
      <h2 id="changes-title">Changes since this page was opened</h2>
      <p id="quiet">None yet.</p>
      <ol id="changes"></ol>
    </section>
    <footer>
      <a href="status">status</a><a href="metrics">metrics</a><a href="upstream_show">upstream_show</a>
      <a href="healthz">healthz</a><a href="readyz">readyz</a>
    </footer>
  </body>
</html>
`;

export const PAGE_STYLE = `
:root {
  color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif;
  --page: #f6f7f9; --card: #fff; --text: #1c2128; --dim: #5d6773; --line: #dfe3e8; --bar: #4c8bf5;
  --good: #1a7f37; --warn: #8a5a00; --bad: #c21f2c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1318; --card: #181d24; --text: #e3e8ee; --dim: #96a1ae; --line: #2b323c; --bar: #4c8bf5;
    --good: #4ac26b; --warn: #e0ab45; --bad: #ff7b72;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; background: var(--page); color: var(--text); }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.25rem; margin-bottom: 1rem; }
h1 { font-size: 1.35rem; letter-spacing: -0.02em; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
header p { flex: 1; margin: 0; }
input {
  width: 17rem; max-width: 100%; padding: 0.4rem 0.7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
}
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(32rem, 100%), 1fr)); gap: 1rem; align-items: start; }
article, section {
  min-width: 0; padding: 0.9rem 1.1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px;
}
article { content-visibility: auto; contain-intrinsic-size: auto 18rem; }
article.troubled { order: -1; border-color: var(--bad); }
article.flash { animation: flash 1.5s; }
@keyframes flash { from { background: color-mix(in srgb, var(--good) 25%, var(--card)); } }
@media (prefers-reduced-motion: reduce) { article.flash { animation: none; } }
.title { display: flex; gap: 0.75rem; justify-content: space-between; align-items: baseline; }
.origin { margin: 0 0 0.6rem; color: var(--dim); font-size: 0.87rem; overflow-wrap: anywhere; }
.pill {
  color: var(--dim); font-size: 0.8rem; white-space: nowrap; padding: 0.05rem 0.6rem; border-radius: 1rem;
  background: color-mix(in srgb, currentcolor 12%, transparent);
}
.good { color: var(--good); }
.warn { color: var(--warn); }
.bad { color: var(--bad); }
.told { margin: 0 0 0.6rem; padding: 0; list-style: none; font-size: 0.87rem; overflow-wrap: anywhere; }
.told li { padding-left: 0.7rem; border-left: 3px solid currentcolor; margin-bottom: 0.3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.servers { max-height: 21rem; overflow-y: auto; }
.servers th { position: sticky; top: 0; background: var(--card); }
small { display: block; color: var(--dim); }
th { color: var(--dim); font-weight: normal; font-size: 0.8rem; white-space: nowrap; }
th, td { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; text-align: right; white-space: nowrap; }
td:first-child { overflow-wrap: anywhere; }
tr.off td:not(:last-child) { color: var(--dim); }
.weight { display: flex; align-items: center; gap: 0.5rem; min-width: 3rem; }
.weight i { --full: 5rem; width: calc(var(--share) * var(--full)); height: 0.45rem; min-width: 2px; border-radius: 1rem; background: var(--bar); }
tr.off i { background: var(--line); }
.targets { margin: 0.7rem 0 0; display: flex; flex-wrap: wrap; gap: 0.3rem; align-items: baseline; font-size: 0.87rem; color: var(--dim); }
section { margin-top: 1rem; }
section p { margin: 0.25rem 0 0; color: var(--dim); }
ol { margin: 0.25rem 0 0; padding: 0; list-style: none; max-height: 12rem; overflow-y: auto; font-variant-numeric: tabular-nums; }
time { color: var(--dim); margin-right: 0.75rem; }
footer { display: flex; flex-wrap: wrap; gap: 1rem; padding: 1rem 0.25rem; font-size: 0.87rem; }
a { color: var(--dim); }
@media (max-width: 34rem) {
  input { width: 100%; }
  .fails { display: none; }
  .weight i { --full: 2.5rem; }
  article, section { padding: 0.75rem; }
}
`;
