/**
 * The page's script: an ES module that needs no build. It puts everything into the page as text (`textContent`), never as
 * markup, since names and addresses come from a registry.
 */
export const PAGE_SCRIPT = String.raw`
const byId = (id) => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const articles = new Map();
const MOST_CHANGES = 200;

function flags(server) {
  return ['down', 'backup', 'drain'].filter((flag) => server[flag]).join(' ') || 'up';
}

function facts(one) {
  const list = element('dl');
  const add = (term, text, className) => list.append(element('dt', term), element('dd', text, className));
  add('source', one.source);
  add('list', 'version ' + one.version + ' from ' + one.origin.kind + (one.index ? ', index ' + one.index : ''));
  if (one.lastError) add('registry', one.lastError.message, 'bad');
  else add('registry', one.ready ? 'followed' : 'not heard yet', one.ready ? 'good' : 'bad');
  if (one.refused) add('refused', one.refused.reason, 'bad');
  for (const entry of one.rejected.slice(0, 5)) add('rejected', entry.where + ': ' + entry.reason, 'bad');
  if (one.unresolved.length) add('no address', one.unresolved.join(', '), 'bad');
  for (const target of one.targets) {
    const behind = target.wanted !== undefined && target.wanted !== target.delivered;
    const workers = target.workers.map((worker) => worker.pid + ' v' + (worker.version ?? '–')).join(', ');
    const text = target.error ?? (target.delivered === undefined ? 'as it started' : 'version ' + target.delivered);
    add(target.target, text + (workers ? ' (workers ' + workers + ')' : ''), target.error || behind ? 'bad' : 'good');
  }
  return list;
}

function serverTable(servers) {
  const table = element('table');
  const head = element('tr');
  for (const title of ['server', 'weight', 'max_fails', 'fail_timeout', 'state']) head.append(element('th', title));
  table.append(head);
  for (const server of servers) {
    const row = element('tr');
    const state = flags(server);
    row.append(
      element('td', server.address),
      element('td', String(server.weight)),
      element('td', String(server.maxFails)),
      element('td', server.failTimeoutMs / 1000 + 's'),
      element('td', state, state === 'up' ? 'good' : ''),
    );
    table.append(row);
  }
  return table;
}

function draw(one) {
  const known = articles.get(one.name);
  const text = JSON.stringify(one, (key, value) => (key === 'ageMs' ? undefined : value));
  if (known && known.text === text) return;
  const article = known ? known.article : element('article');
  article.replaceChildren(element('h2', one.name), facts(one), serverTable(one.servers));
  if (known && known.version !== one.version) {
    article.classList.remove('flash');
    void article.offsetWidth;
    article.classList.add('flash');
  }
  if (!known) byId('upstreams').append(article);
  articles.set(one.name, { article, text, version: one.version, search: (one.name + text).toLowerCase() });
}

function find() {
  const wanted = byId('find').value.trim().toLowerCase();
  for (const { article, search } of articles.values()) article.hidden = !search.includes(wanted);
}

async function refresh() {
  try {
    const answer = await fetch('status');
    if (!answer.ok) throw new Error('the engine answered ' + answer.status);
    const { upstreams, pid } = await answer.json();
    const names = new Set(upstreams.map((one) => one.name));
    for (const [name, { article }] of articles)
      if (!names.has(name)) {
        article.remove();
        articles.delete(name);
      }
    upstreams.forEach(draw);
    const troubled = upstreams.filter((one) => one.lastError || one.refused).length;
    const summary = byId('summary');
    summary.textContent =
      upstreams.length + ' upstreams, engine ' + pid + (troubled ? ', ' + troubled + ' with a problem' : ', all well');
    summary.className = troubled ? 'bad' : 'good';
    find();
  } catch (error) {
    byId('summary').textContent = 'No contact: ' + error.message;
    byId('summary').className = 'bad';
  }
}

let due;
function refreshSoon() {
  due ??= setTimeout(() => {
    due = undefined;
    void refresh();
  }, 100);
}

const events = new EventSource('events');
events.addEventListener('open', refreshSoon);
events.addEventListener('list', (event) => {
  const { upstream, version, servers } = JSON.parse(event.data);
  const time = new Date().toLocaleTimeString();
  const changes = byId('changes');
  changes.prepend(element('li', time + ' ' + upstream + ': version ' + version + ', ' + servers.length + ' servers'));
  while (changes.children.length > MOST_CHANGES) changes.lastChild.remove();
  refreshSoon();
});
byId('find').addEventListener('input', find);
setInterval(refresh, 5000);
void refresh();
`;
