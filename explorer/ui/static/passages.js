// Passages on the page: a rendered text as a sequence of letters with their places, and ranges of it.
// The same rules as explorer/passages.py: letters and digits only, without commands of TeX.

const SEED = 12;
const LETTER = new RegExp(
  String.raw`\\(?:begin|end|label|tag\*?|operatorname\*?|ref|eqref)\s*\{[^{}]*\}|\\quad\(\\text\{[^{}]*\}\)`
  + String.raw`|\\[A-Za-z]+|^[ >]*\d{1,9}[.)] |([\p{L}\p{N}])`, 'gmu');

function letterPlaces(text) {
  const found = [];
  for (const match of text.matchAll(LETTER)) {
    if (match[1]) found.push([[...match[1].toLowerCase()][0], match.index]);
  }
  return found;
}

const texOf = (katex) => katex.querySelector('annotation[encoding="application/x-tex"]')?.textContent ?? '';

// Text nodes and formulas of an element in order: {node, text, isTex}.
function pieces(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) => {
    if (node.nodeType === Node.TEXT_NODE) return NodeFilter.FILTER_ACCEPT;
    return node.classList.contains('katex') ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP;
  });
  const found = [];
  let node = walker.nextNode();
  while (node) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!node.parentElement.closest('.katex')) found.push({ node, text: node.data, isTex: false });
    } else {
      found.push({ node, text: texOf(node), isTex: true });
    }
    node = walker.nextNode();
  }
  return found;
}

// Letters of an element, and for each its piece and its offset there.
function pageLetters(root) {
  let letters = '';
  const places = [];
  for (const piece of pieces(root)) {
    for (const [letter, offset] of letterPlaces(piece.text)) {
      letters += letter;
      places.push([piece, offset]);
    }
  }
  return { letters, places };
}

// Range of a passage of the source on the page; null where the page does not show it.
function rangeOf(page, source, near = 0) {
  const wanted = letterPlaces(source).map(([letter]) => letter).join('');
  if (!wanted) return null;
  const from = near * page.letters.length;
  let place = nearest(page.letters, wanted, from);
  if (!place && wanted.length >= 2 * SEED) {
    const first = nearest(page.letters, wanted.slice(0, SEED), from);
    const last = nearest(page.letters, wanted.slice(-SEED), from + wanted.length);
    const length = first && last ? last[1] - first[0] : 0;
    if (length > 0 && length < 2 * wanted.length) place = [first[0], last[1]];
  }
  if (!place) return null;
  const range = new Range();
  const [first, start] = page.places[place[0]];
  const [last, end] = page.places[place[1] - 1];
  if (first.isTex) range.setStartBefore(first.node); else range.setStart(first.node, start);
  if (last.isTex) range.setEndAfter(last.node); else range.setEnd(last.node, end + 1);
  return range;
}

function nearest(letters, wanted, from) {
  let best = null;
  for (let at = letters.indexOf(wanted); at >= 0; at = letters.indexOf(wanted, at + 1)) {
    if (best === null || Math.abs(at - from) < Math.abs(best - from)) best = at;
  }
  return best === null ? null : [best, best + wanted.length];
}

// The selected part of an element as {text, near}: formulas as TeX, near is its place as a share of the whole.
function selectedIn(root) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(root)) return null;
  let text = '', before = 0, all = 0;
  for (const piece of pieces(root)) {
    let part = piece.text;
    const inside = range.intersectsNode(piece.node);
    const whole = letterPlaces(part).length;
    if (inside && !piece.isTex) {
      const from = piece.node === range.startContainer ? range.startOffset : 0;
      const to = piece.node === range.endContainer ? range.endOffset : part.length;
      if (!text) before = all + letterPlaces(part.slice(0, from)).length;
      part = part.slice(from, to);
    } else if (inside && !text) {
      before = all;
    }
    if (inside) text += piece.isTex ? `$${part}$` : part;
    all += whole;
  }
  return text.trim() ? { text: text.trim(), near: all ? before / all : 0 } : null;
}
