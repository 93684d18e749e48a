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
      <label>Find <input id="find" type="search" autocomplete="off" placeholder="name or address" /></label>
    </header>
    <main id="upstreams"></main>
    <section aria-labelledby="changes-title">
      <h2 id="changes-title">Changes</h2>
      <ol id="changes" reversed></ol>
    </section>
    <footer>
      <a href="status">status</a> <a href="metrics">metrics</a> <a href="upstream_show">upstream_show</a>
    </footer>
  </body>
</html>
`;

export const PAGE_STYLE = `
:root { font: 15px/1.45 system-ui, sans-serif; --line: #8884; --good: #1a7f37; --bad: #cf222e; --dim: #8889; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 1.5rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; }
header p { flex: 1; margin: 0; }
article, section { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; padding: 0.75rem 1rem; overflow-x: auto; }
article.flash { animation: flash 1.5s; }
@keyframes flash { from { background: #2da44e33; } }
@media (prefers-reduced-motion: reduce) { article.flash { animation: none; } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0.5rem 0; }
dt { opacity: 0.7; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.15rem 0.75rem 0.15rem 0; border-top: 1px solid var(--line); }
.good { color: var(--good); }
.bad { color: var(--bad); }
ol { margin: 0.25rem 0 0; max-height: 12rem; overflow-y: auto; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; } }
`;
