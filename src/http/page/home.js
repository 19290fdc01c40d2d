(() => {
for (const code of document.querySelectorAll('code.copy')) {
const button = document.createElement('button'), box = code.closest('pre') || code, details = code.closest('details');
const title = details ? details.querySelector('summary').textContent : code.textContent;
button.type = 'button'; button.className = 'small copier'; button.textContent = 'Copy'; button.setAttribute('aria-label', 'Copy: ' + title);
button.onclick = async () => {
getSelection().selectAllChildren(code);
let done = true;
try { await navigator.clipboard.writeText(code.textContent); } catch { done = document.execCommand('copy'); }
button.textContent = done ? 'Copied' : 'Press Ctrl+C';
setTimeout(() => { button.textContent = 'Copy'; }, 2000);
};
box.after(button);
}
let source;
const look = () => {
if (source) source.close();
source = document.hidden ? null : new EventSource('/live');
if (source) source.onmessage = (event) => { document.getElementById('live').innerHTML = event.data; };
};
document.addEventListener('visibilitychange', look);
look();
})();
