// Quoted passages: tints what analyses quote in the proof, and links both ways. The page's own elements stay as they
// are: ranges are highlighted by the browser, and the notes of the margin stand in an element of this component.

const view = (window.lemmataReader ??= { ranges: [], send: null, root: null });

export default function ({ data, parentElement, setTriggerValue }) {
  Object.assign(view, { data, root: parentElement, send: (name) => setTriggerValue('open', name) });
  let tries = 0;
  const start = () => {
    if (view.data !== data) return;
    const proof = document.querySelector('.st-key-text-proof');
    const drawn = proof && proof.textContent.length > 0 && !proof.querySelector('[data-testid="stSkeleton"]');
    if (!drawn && tries++ < 100) { setTimeout(start, 50); return; }
    if (proof) mark(proof);
  };
  start();
  if (!window.lemmataReaderClicks) {
    window.lemmataReaderClicks = true;
    document.addEventListener('click', onClick);
    new ResizeObserver(() => view.root && place()).observe(document.body);
  }
  return () => {
    if (view.root !== parentElement) return;
    Object.assign(view, { root: null, ranges: [] });
    for (const name of ['lemmata-quote', 'lemmata-stop', 'lemmata-found']) CSS.highlights?.delete(name);
  };
}

function mark(proof) {
  const page = pageLetters(proof);
  view.proof = proof;
  view.ranges = view.data.passages
    .map((one) => ({ ...one, range: rangeOf(page, one.text, one.near) })).filter((one) => one.range);
  const highlight = (name, ranges) => {
    if (window.Highlight && CSS.highlights) CSS.highlights.set(name, new Highlight(...ranges));
  };
  highlight('lemmata-quote', view.ranges.filter((one) => !one.stops).map((one) => one.range));
  highlight('lemmata-stop', view.ranges.filter((one) => one.stops).map((one) => one.range));
  linkAnalyses();
  place();
}

// Quotations inside of the analyses that the pane shows: ranges with the passage that they lead to.
function linkAnalyses() {
  view.back = [];
  for (const name of new Set(view.ranges.flatMap((one) => one.analyses))) {
    const text = document.querySelector(`.st-key-text-analysis-${CSS.escape(name)}`);
    if (!text) continue;
    const page = pageLetters(text);
    for (const one of view.ranges.filter((other) => other.analyses.includes(name))) {
      const range = rangeOf(page, one.text);
      if (range) view.back.push({ range, to: one.range });
    }
  }
  if (window.Highlight && CSS.highlights) {
    CSS.highlights.set('lemmata-found', new Highlight(...view.back.map((one) => one.range)));
  }
}

function place() {
  const notes = view.root?.querySelector('.notes');
  if (!notes || !view.proof?.isConnected) return;
  const origin = notes.getBoundingClientRect();
  let free = -Infinity;
  notes.replaceChildren(...view.ranges.filter((one) => one.note).map((one) => {
    const box = one.range.getBoundingClientRect();
    const made = document.createElement('button');
    made.type = 'button';
    made.textContent = one.note;
    made.className = one.stops ? 'stop' : '';
    const top = Math.max(box.top - origin.top, free);
    made.style.top = `${top}px`;
    free = top + 66;
    made.addEventListener('click', () => view.send(one.analyses[0]));
    return made;
  }));
}

const within = (range, x, y) => [...range.getClientRects()].some(
  (box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);

function onClick(event) {
  if (!view.root || event.defaultPrevented || !document.getSelection()?.isCollapsed) return;
  const back = view.back?.find((one) => within(one.range, event.clientX, event.clientY));
  const quoted = !back && view.ranges.find((one) => within(one.range, event.clientX, event.clientY));
  if (back) {
    back.to.startContainer.parentElement?.scrollIntoView({ block: 'center' });
  } else if (quoted && event.target.closest('.st-key-text-proof')) {
    view.send(quoted.analyses[0]);
  }
}
