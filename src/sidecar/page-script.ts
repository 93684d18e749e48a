/**
 * The page's script: an ES module that needs no build. It puts everything into the page as text (`textContent`), never as
 * markup, since names and addresses come from a registry.
 */
export const PAGE_SCRIPT = String.raw`
const byId = (id) => document.getElementById(id);
const element = (name, content, className) => {
  const made = document.createElement(name);
  if (Array.isArray(content)) made.append(...content);
  else if (content !== undefined) made.textContent = content;
  if (className) made.className = className;
  return made;
};
const articles = new Map();
const MOST_CHANGES = 200;
const MOST_SERVERS = 200;
const MOST_REJECTED = 5;
/** Servers that are seen without scrolling, as in the style of .servers. */
const MOST_SEEN = 10;

const ORIGINS = { registry: 'the registry', dump: 'the dump file', static: 'the configuration' };

const clock = (time) => new Date(time).toLocaleTimeString();
const count = (number, word) => number + ' ' + word + (number === 1 ? '' : 's');
// 'nginx' of 'nginx /run/…/control.sock'; 'dump files' as it is.
const shortName = (target) => target.target.replace(/ \/.*/, '');
const isBehind = (target) => target.wanted !== undefined && target.wanted !== target.delivered;

// What an operator should know first, in the order of its weight.
function verdict(one) {
  if (one.lastError) return ['registry out of reach', 'bad'];
  if (one.refused) return ['list refused', 'bad'];
  const failed = one.targets.find((target) => target.error);
  if (failed) return ['not in ' + shortName(failed), 'bad'];
  if (!one.ready) return ['not heard yet', 'warn'];
  if (one.rejected.length || one.unresolved.length) return ['in step, entries left out', 'warn'];
  if (one.targets.some(isBehind)) return ['being delivered', 'warn'];
  return ['in step', 'good'];
}

function messages(one) {
  const told = element('ul', undefined, 'told');
  const add = (text, className) => told.append(element('li', text, className));
  const { lastError, refused } = one;
  if (lastError) add(lastError.message + ' (since ' + clock(lastError.since) + ')', 'bad');
  if (refused) add(refused.reason, 'bad');
  for (const target of one.targets) if (target.error) add(target.error, 'bad');
  for (const entry of one.rejected.slice(0, MOST_REJECTED)) add(entry.where + ': ' + entry.reason, 'warn');
  const more = one.rejected.length - MOST_REJECTED;
  if (more > 0) add('and ' + more + ' more left out', 'warn');
  if (one.unresolved.length) add('no address for ' + one.unresolved.join(', '), 'warn');
  return told.children.length ? [told] : [];
}

function stateOf(server) {
  if (server.down) return ['down', 'bad'];
  if (server.drain) return ['drain', 'warn'];
  return server.backup ? ['backup', ''] : ['up', 'good'];
}

function weight(server, heaviest) {
  const bar = element('i');
  bar.style.setProperty('--share', server.weight / heaviest);
  return element('td', [element('div', [bar, String(server.weight)], 'weight')]);
}

// What else limits a server, under its address.
function limits({ maxConns, slowStartMs }) {
  const told = [];
  if (maxConns) told.push('at most ' + maxConns + ' at a time');
  if (slowStartMs) told.push('slow start ' + slowStartMs / 1000 + ' s');
  return told.length ? [element('small', told.join(', '))] : [];
}

function serverTable(servers) {
  if (servers.length === 0) return element('p', 'No server.', 'origin');
  const table = element('table');
  const head = element('tr', ['server', 'weight'].map((title) => element('th', title)));
  head.append(element('th', 'fails allowed', 'fails'), element('th', 'state'));
  table.append(head);
  const heaviest = servers.reduce((most, server) => Math.max(most, server.weight), 1);
  for (const server of servers.slice(0, MOST_SERVERS)) {
    const [state, className] = stateOf(server);
    const fails = server.maxFails ? server.maxFails + ' in ' + server.failTimeoutMs / 1000 + ' s' : 'any';
    const row = element('tr', [
      element('td', [server.address, ...limits(server)]),
      weight(server, heaviest),
      element('td', fails, 'fails'),
      element('td', [element('span', state, 'pill ' + className)]),
    ]);
    if (state !== 'up') row.className = 'off';
    table.append(row);
  }
  const more = servers.length - MOST_SERVERS;
  if (more > 0) table.append(element('tr', [element('td', 'and ' + more + ' more')], 'off'));
  const box = element('div', [table], 'servers');
  if (servers.length > MOST_SEEN) {
    // Hundreds of servers must not push the other upstreams out of sight. The keyboard scrolls it too.
    box.tabIndex = 0;
    box.role = 'region';
    box.ariaLabel = count(servers.length, 'server');
  }
  return box;
}

function targets(one) {
  const list = element('p', undefined, 'targets');
  const chip = (text, isGood) => list.append(element('span', text, 'pill ' + (isGood ? 'good' : 'warn')));
  for (const target of one.targets) {
    const { workers, delivered } = target;
    const name = shortName(target);
    const what = workers.length === 1 ? ' worker' : workers.length ? ' workers' : '';
    list.append(element('span', name + what));
    const none = name.startsWith('nginx') ? 'as it started' : 'nothing yet';
    if (workers.length === 0)
      chip(delivered === undefined ? none : 'v' + delivered, !isBehind(target) && !target.error);
    for (const { pid, version } of workers)
      chip(pid + (version ? ' v' + version : ' own list'), version === target.wanted || target.wanted === undefined);
  }
  return list;
}

function draw(one) {
  const known = articles.get(one.name);
  const text = JSON.stringify(one, (key, value) => (key === 'ageMs' || key === 'at' ? undefined : value));
  if (known && known.text === text) return;
  const article = known ? known.article : element('article');
  const [says, className] = verdict(one);
  const from = ORIGINS[one.origin.kind] ?? one.origin.kind;
  const origin = 'v' + one.version + ', ' + count(one.servers.length, 'server') + ' from ' + from + ' · ' + one.source;
  article.classList.toggle('troubled', className === 'bad');
  const scrolled = article.querySelector('.servers')?.scrollTop ?? 0;
  article.replaceChildren(
    element('div', [element('h2', one.name), element('span', says, 'pill ' + className)], 'title'),
    element('p', origin, 'origin'),
    ...messages(one),
    serverTable(one.servers),
    targets(one),
  );
  if (scrolled > 0) article.querySelector('.servers')?.scrollTo(0, scrolled);
  if (known && known.version !== one.version) {
    article.classList.remove('flash');
    void article.offsetWidth;
    article.classList.add('flash');
  }
  if (!known) byId('upstreams').append(article);
  articles.set(one.name, { article, text, version: one.version, search: text.toLowerCase() });
}

function find() {
  const wanted = byId('find').value.trim().toLowerCase();
  for (const { article, search } of articles.values()) article.hidden = !search.includes(wanted);
}

const percent = (share) => Math.round(share * 1000) / 10 + ' %';

function drawNames(names) {
  byId('names').hidden = !names;
  if (!names) return;
  const { idc, dns, configService, plans } = names;
  const told = ['seen from IDC ' + idc];
  if (dns) told.push('DNS on ' + dns.address + ', ' + count(dns.queries, 'question'));
  if (configService) told.push('config service on ' + configService.url);
  for (const { target, plan, until } of plans)
    told.push(target + ': ' + (plan ? 'plan ' + plan + ' until ' + new Date(until).toLocaleString() : 'no plan'));
  byId('served').textContent = told.join(' · ');
  const wanted = byId('find').value.trim().toLowerCase();
  const rows = names.names.filter(({ name }) => name.includes(wanted)).slice(0, MOST_SERVERS).map((one) => {
    const parts = one.idcs.map((at) => at.idc + ' ' + percent(at.share) + ' (' + at.healthy + ' of ' + at.servers + ')');
    const row = element('tr', [
      element('td', one.name),
      element('td', parts.join(', ')),
      element('td', [element('span', one.state, 'pill ' + (one.state === 'live' ? 'good' : 'warn'))]),
    ]);
    row.title = one.reasons.map((reason) => reason.text).join('\n');
    return row;
  });
  byId('name-rows').replaceChildren(...rows);
}

function summarize(text, className) {
  byId('summary').textContent = text;
  byId('summary').className = className;
  document.title = (className === 'good' ? '' : '(!) ') + 'Upsync';
}

// Thousands of upstreams make a long status: the page asks for no more than a tenth of the engine's time.
let due;
let tookMs = 0;

async function refresh() {
  const began = performance.now();
  try {
    const answer = await fetch('status');
    if (!answer.ok) throw new Error('the engine answered ' + answer.status);
    const { upstreams, pid, names: served } = await answer.json();
    const names = new Set(upstreams.map((one) => one.name));
    for (const [name, { article }] of articles)
      if (!names.has(name)) {
        article.remove();
        articles.delete(name);
      }
    upstreams.forEach(draw);
    drawNames(served);
    const troubled = upstreams.filter((one) => verdict(one)[1] === 'bad').length;
    const watched = served ? ', ' + count(served.watched, 'name') : '';
    const all = count(upstreams.length, 'upstream') + watched + ', engine ' + pid + ', ';
    summarize(all + (troubled ? troubled + ' with a problem' : 'all well'), troubled ? 'bad' : 'good');
    find();
  } catch (error) {
    summarize('No contact with the engine: ' + error.message, 'bad');
  }
  tookMs = performance.now() - began;
}

function refreshSoon() {
  due ??= setTimeout(async () => {
    await refresh();
    due = undefined;
  }, Math.max(100, tookMs * 10));
}

const events = new EventSource('events');
events.addEventListener('open', refreshSoon);
events.addEventListener('list', (event) => {
  const { upstream, version, servers } = JSON.parse(event.data);
  const changes = byId('changes');
  const text = upstream + ': v' + version + ', ' + count(servers.length, 'server');
  changes.prepend(element('li', [element('time', clock(Date.now())), text]));
  while (changes.children.length > MOST_CHANGES) changes.lastChild.remove();
  byId('quiet').hidden = true;
  refreshSoon();
});
byId('find').addEventListener('input', find);
setInterval(refreshSoon, 5000);
void refresh();
`;
