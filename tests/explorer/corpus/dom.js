// The text of an element as a reader sees it: formulas as TeX, formatting as marks, anything else as its tag.
(root) => {
  const marks = { STRONG: 'b', EM: 'i', CODE: 'code', DEL: 'del' };
  const blocks = new Set(['P', 'LI', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'BLOCKQUOTE', 'TR', 'HR', 'PRE']);
  const plain = new Set(['DIV', 'SPAN', 'UL', 'OL', 'TABLE', 'THEAD', 'TBODY', 'P', 'TR']);
  const show = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data.replaceAll('\u2060', '').replaceAll('\u00a0', '_');
    if (node.nodeType !== Node.ELEMENT_NODE) return '';
    if (node.tagName === 'BUTTON' || node.dataset.testid === 'stElementToolbar') return '';
    if (node.classList.contains('katex-error')) return `<error>${node.textContent}</error>`;
    if (node.classList.contains('katex-display')) return `«${tex(node)}»`;
    if (node.classList.contains('katex')) return `‹${tex(node)}›`;
    const inner = [...node.childNodes].map(show).join('');
    const tag = node.tagName;
    if (tag === 'BR') return '<br>';
    if (tag === 'HR') return '\n<hr>\n';
    if (tag === 'LI') return `\n${node.parentElement.tagName === 'OL' ? `${number(node)}.` : '•'} ${inner.trim()}`;
    if (tag === 'TD' || tag === 'TH') return `¦${inner.trim()}`;
    if (/^H\d$/.test(tag)) return `\n<${tag.toLowerCase()}>${inner.trim()}\n`;
    if (tag === 'BLOCKQUOTE') return `\n<quote>${inner.trim()}</quote>\n`;
    if (tag === 'PRE') return `\n<pre>${inner.trim()}</pre>\n`;
    if (marks[tag]) return node.closest('pre') ? inner : `<${marks[tag]}>${inner}</${marks[tag]}>`;
    return plain.has(tag) ? (blocks.has(tag) ? `\n${inner}\n` : inner) : `<${tag.toLowerCase()}>${inner}`;
  };
  const tex = (node) => node.querySelector('annotation')?.textContent ?? '';
  const number = (item) => item.parentElement.start + [...item.parentElement.children].indexOf(item);
  return show(root).replace(/[ \t]*\n\s*/g, '\n').trim();
}
