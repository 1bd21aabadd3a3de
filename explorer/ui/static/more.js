// The end of what is shown of a long text: asks for the next part when it comes near the window.
export default function ({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector('.more');
  element.textContent = data.words;
  element.onclick = () => setTriggerValue('more', data.shown);
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); element.onclick(); }
  }, { rootMargin: '600px' });
  observer.observe(element);
  return () => observer.disconnect();
}
