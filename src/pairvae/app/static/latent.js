// The latent plane: dots of training pairs, and what lies where somebody clicks.
import { element, numbers, picture, shape } from "./drawing.js";

const [SIZE, MARGIN, COLOURS] = [480, 24, 6];

export class Plane {
  constructor(ask) {
    this.ask = ask;
    this.place = document.getElementById("plane");
    this.modality = document.getElementById("latent-modality");
    this.modality.addEventListener("change", () => this.show(this.model));
  }

  async show(model) {
    this.model = model;
    const found = await this.ask(`/api/plane?modality=${encodeURIComponent(this.modality.value)}&model=${encodeURIComponent(model)}`);
    if (!found) return;
    const reach = Math.max(...found.points.flat().map(Math.abs), 1e-6) * 1.15;
    this.scale = (SIZE / 2 - MARGIN) / reach;
    const names = [...new Set(found.morphologies)].sort();
    const colour = (at) => `c${found.morphologies[at] === null || !names.length ? COLOURS : names.indexOf(found.morphologies[at]) % COLOURS}`;
    const dots = found.points.map(([x, y], at) => shape("circle",
      { class: `dot ${colour(at)}`, cx: this.across(x), cy: this.up(y), r: 6 },
      shape("title", {}, found.ids[at] ?? "a sample of the prior")));
    this.here = shape("circle", { class: "here", r: 9, cx: -20, cy: -20 });
    const share = (one) => `${Math.round(100 * one)} % of the variance`;
    const words = [
      shape("text", { x: SIZE / 2, y: SIZE - 6, "text-anchor": "middle" }, `first axis, ${share(found.shares[0])}`),
      shape("text", { x: 14, y: SIZE / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${SIZE / 2})` }, `second axis, ${share(found.shares[1])}`),
    ];
    const drawing = shape("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "application", tabindex: 0,
      "aria-label": "Latent plane: click, or move with the arrow keys" }, [...words, ...dots, this.here]);
    drawing.addEventListener("click", (event) => {
      const box = drawing.getBoundingClientRect();
      this.go(((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE);
    });
    drawing.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-12, 0], ArrowRight: [12, 0], ArrowUp: [0, -12], ArrowDown: [0, 12] }[event.key];
      if (!step) return;
      event.preventDefault();
      this.go((this.at?.[0] ?? SIZE / 2) + step[0], (this.at?.[1] ?? SIZE / 2) + step[1]);
    });
    this.place.replaceChildren(drawing);
    document.getElementById("legend").replaceChildren(...names.map((name, at) => element("li", {}, [
      shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, shape("circle", { class: name === null ? `c${COLOURS}` : `c${at % COLOURS}`, cx: 5, cy: 5, r: 5 })),
      (name ?? "not named").replaceAll("_", " ")])));
    document.getElementById("point").replaceChildren(element("p", { class: "note" }, "Nothing is chosen yet."));
    this.at = null;
  }

  across(x) { return SIZE / 2 + x * this.scale; }

  up(y) { return SIZE / 2 - y * this.scale; }

  async go(px, py) {
    this.at = [px, py];
    this.here.setAttribute("cx", px);
    this.here.setAttribute("cy", py);
    const [x, y] = [(px - SIZE / 2) / this.scale, (SIZE / 2 - py) / this.scale];
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const query = `modality=${encodeURIComponent(this.modality.value)}&x=${x}&y=${y}&model=${encodeURIComponent(this.model)}`;
    const found = await this.ask(`/api/point?${query}`);
    if (!found || turn !== this.turn) return;
    document.getElementById("point").replaceChildren(
      element("p", {}, `At ${x.toFixed(2)}, ${y.toFixed(2)}:`),
      ...found.map((one) => element("div", {}, [...one.pictures.map((drawn) => picture({ ...drawn, caption: one.title })), numbers(one.numbers)])));
  }
}
