(function () {
  "use strict";
  var frames = Array.prototype.slice.call(document.querySelectorAll("[data-step]"));
  var player = document.getElementById("player");
  var slider = document.getElementById("slider");
  var button = document.getElementById("play");
  var said = document.getElementById("said");
  var timer = null;
  if (player === null) { return; }

  function show(place) {
    frames.forEach(function (frame, k) { frame.hidden = k !== place; });
    var words = "step " + frames[place].getAttribute("data-step");
    slider.value = String(place);
    slider.setAttribute("aria-valuetext", words);
    said.textContent = words;
  }

  function stop() {
    window.clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function next() {
    var place = Number(slider.value) + 1;
    show(place);
    if (place === frames.length - 1) { stop(); }
  }

  slider.addEventListener("input", function () { stop(); show(Number(slider.value)); });
  button.addEventListener("click", function () {
    if (timer !== null) { stop(); return; }
    if (Number(slider.value) === frames.length - 1) { show(0); }
    button.textContent = "Pause";
    timer = window.setInterval(next, Number(slider.getAttribute("data-milliseconds")));
  });
  player.hidden = false;
  show(0);
}());
