/* Says when the sign-in has ended while the page is open, and takes it back when it is good again. */
(() => {
  const words = __WORDS__;
  const ask = window.fetch;
  const show = () => {
    if (document.getElementById('session-ended')) return;
    const said = words[document.documentElement.lang] || words.en;
    const bar = document.createElement('div');
    bar.id = 'session-ended';
    bar.setAttribute('role', 'alert');
    const link = document.createElement('a');
    Object.assign(link, { href: 'sign-in', target: '_blank', rel: 'noopener', textContent: said.again });
    bar.append(Object.assign(document.createElement('span'), { textContent: said.ended }), link);
    document.body.append(bar);
  };
  window.fetch = async (...request) => {
    const response = await ask(...request);
    if (new URL(response.url, location.href).origin === location.origin) {
      if (response.status === 401) show();
      else if (response.ok) document.getElementById('session-ended')?.remove();
    }
    return response;
  };
})();
