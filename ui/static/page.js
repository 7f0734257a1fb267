/* What the page's own HTML needs everywhere. */
window.himedCopyLast = async (place, button) => {
  const answers = document.querySelectorAll(`${place} .answer > .prose`);
  if (!answers.length) return;
  const answer = answers[answers.length - 1];
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(answer.innerText);
  } else {  // over plain http
    getSelection().selectAllChildren(answer);
    document.execCommand('copy');
    getSelection().removeAllRanges();
  }
  const pressed = document.querySelector(button);
  pressed.classList.add('copied');
  setTimeout(() => pressed.classList.remove('copied'), 2000);
};
window.himedDownload = (file) => {
  if (!file) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['\ufeff', file.text], { type: 'text/csv;charset=utf-8' }));
  link.download = file.name;
  link.click();
  URL.revokeObjectURL(link.href);
};
/* In the question's box Enter asks and Shift+Enter makes a new line; on a touch screen, and while an input method is
   composing a character, Enter is the box's own. */
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.isComposing || !event.target.matches('#question textarea')) return;
  event.stopPropagation();
  const ask = document.querySelector('#send');
  if (!event.shiftKey && ask && matchMedia('(pointer: fine)').matches) {
    event.preventDefault();
    ask.click();
  }
}, true);
document.addEventListener('keypress', (event) => {  // Gradio's own meaning of Shift+Enter
  if (event.key === 'Enter' && event.target.matches('#question textarea')) event.stopPropagation();
}, true);
