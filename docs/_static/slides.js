// Arrows, space and page keys go from slide to slide; N shows the notes, F fills the screen.
"use strict";
(() => {
  const slides = [...document.querySelectorAll(".slide, main section section")];
  const place = document.getElementById("place");
  const buttons = { "-1": document.getElementById("back"), 1: document.getElementById("on") };
  let at = 0;

  const show = (number) => {
    at = Math.max(0, Math.min(slides.length - 1, number));
    place.textContent = `${at + 1} of ${slides.length}`;
    buttons["-1"].disabled = at === 0;
    buttons[1].disabled = at === slides.length - 1;
  };
  const go = (number) => {
    show(number);
    slides[at].scrollIntoView();
    history.replaceState(null, "", at ? `#${slides[at].id}` : location.pathname + location.search);
  };

  const ways = {
    ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1,
    Home: -Infinity, End: Infinity,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = event.target.closest("button, summary, a");
    if (pressed && (event.key === " " || event.key === "Enter")) return;
    const back = event.key === " " && event.shiftKey;
    if (event.key in ways) go(at + (back ? -1 : ways[event.key]));
    else if (event.key === "n") document.body.classList.toggle("with-notes");
    else if (event.key === "f" && document.documentElement.requestFullscreen)
      document.documentElement.requestFullscreen();
    else return;
    event.preventDefault();
  });
  for (const [way, button] of Object.entries(buttons)) {
    button.hidden = false;
    button.addEventListener("click", () => go(at + Number(way)));
  }
  // Who scrolls by hand or follows a link is where the screen is.
  const watcher = new IntersectionObserver(
    (seen) => seen.forEach((one) => one.isIntersecting && show(slides.indexOf(one.target))),
    { rootMargin: "-45% 0px -45% 0px" },
  );
  slides.forEach((slide) => watcher.observe(slide));
  show(slides.findIndex((slide) => `#${slide.id}` === location.hash));
})();
