const folds = new Map();
element.addEventListener('click', (event) => {
  const summary = event.target.closest('summary');
  if (summary && summary.parentElement.dataset.fold) {
    folds.set(summary.parentElement.dataset.fold, !summary.parentElement.open);
  }
  const pressed = event.target.closest('[data-action]');
  if (pressed && !pressed.disabled) trigger('click', { ...pressed.dataset });
});
watch('value', () => {
  element.querySelectorAll('details[data-fold]').forEach((fold) => {
    if (folds.has(fold.dataset.fold)) fold.open = folds.get(fold.dataset.fold);
  });
});
