// What is drawn: elements, curves with their spread, one prediction. Texts are only ever set as text.
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [480, 260, 52, 40, 12, 12];

export function element(name, attributes = {}, children = []) {
  return filled(document.createElement(name), attributes, children);
}

export function shape(name, attributes = {}, children = []) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...[].concat(children));
  return made;
}

// A field for a condition of the sample: empty where it is not known.
export function condition(one) {
  const marks = { "data-name": one.name };
  const options = (one.words ?? []).map((word) => element("option", {}, word));
  const field = one.words
    ? element("select", marks, [element("option", { value: "" }, "unknown"), ...options])
    : element("input", { ...marks, type: "number", step: "any", placeholder: `usual: ${Number(one.mean.toPrecision(3))}` });
  return element("label", {}, [`${one.name} `, field]);
}

// A scale bar below a picture: as wide as the picture, whatever that is.
function scaleBar(scale) {
  const bar = shape("rect", { x: 0, y: 0, width: (1000 * scale.share).toFixed(1), height: 16 });
  const line = shape("svg", { viewBox: "0 0 1000 16", class: "scale", role: "img", "aria-label": `Scale bar, ${scale.label}` }, [bar]);
  return [line, element("small", {}, scale.label)];
}

export function picture(one, alt = one.caption, scale = null) {
  const image = element("img", { src: one.uri, width: one.width, height: one.height, alt });
  const bar = scale && one.kind !== "given" ? scaleBar(scale) : [];
  return element("figure", { class: one.kind }, [image, ...bar, element("figcaption", {}, one.caption)]);
}

function ticks(low, high) {
  const rough = (high - low) / 5;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(Number(at.toPrecision(6)));
  return found;
}

export function curve(one) {
  const known = one.x.map((_, at) => at).filter((at) => one.mean[at] !== null);
  const low = Math.min(...known.map((at) => one.low[at]));
  const high = Math.max(...known.map((at) => one.high[at]), low + 1e-9);
  const [first, last] = [one.x[0], Math.max(one.x[one.x.length - 1], one.x[0] + 1e-9)];
  const across = (value) => LEFT + ((value - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - BOTTOM - TOP);
  const point = (values) => (at) => `${across(one.x[at]).toFixed(1)},${up(values[at]).toFixed(1)}`;
  const band = [...known.map(point(one.low)), ...[...known].reverse().map(point(one.high))].join(" ");
  const parts = [
    shape("polygon", { class: "band", points: band }),
    shape("polyline", { class: "mean", points: known.map(point(one.mean)).join(" ") }),
    shape("path", { class: "axis", d: `M${LEFT},${TOP} V${HEIGHT - BOTTOM} H${WIDTH - RIGHT}` }),
    shape("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, one.label),
  ];
  for (const at of ticks(first, last))
    parts.push(shape("text", { x: across(at), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(at)));
  for (const at of ticks(low, high))
    parts.push(shape("text", { x: LEFT - 6, y: up(at) + 4, "text-anchor": "end" }, String(at)));
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": one.title }, parts);
  return element("div", {}, [element("h3", {}, one.title), drawing]);
}

export function numbers(list) {
  return element("dl", {}, list.map((one) =>
    element("div", {}, [element("dt", {}, one.label), element("dd", {}, one.value)])));
}

export function result(found, title, download, explain) {
  const button = element("button", { type: "button" }, "Download (zip)");
  button.addEventListener("click", download);
  const why = element("button", { type: "button", class: "why" }, "Why this prediction?");
  const reasons = element("div", { class: "reasons", "aria-live": "polite" });
  why.addEventListener("click", async () => {
    why.disabled = true;
    reasons.replaceChildren(element("p", { class: "note" }, "Looking at each part of the measurement …"));
    const told = await explain();
    why.disabled = false;
    reasons.replaceChildren(...(told ? [
      element("p", { class: "note" }, "What moved the predicted numbers: red raises, blue lowers them."),
      element("figure", {}, element("img", { src: told.uri, alt: "Explanation drawn over the measurement" })),
      element("ul", {}, told.lines.map((line) => element("li", {}, line)))] : []));
  });
  const [samples, measured] = ["sample", "measured"].map((kind) => found.pictures.filter((one) => one.kind === kind));
  const main = found.pictures.filter((one) => !samples.includes(one) && !measured.includes(one));
  const parts = [element("div", { class: "top" }, [element("h2", {}, title), element("span", {}, [why, " ", button])])];
  parts.push(...found.warnings.map((text) => element("p", { class: "warning", role: "alert" }, text)));
  parts.push(...found.notes.map((text) => element("p", { class: "note" }, text)));
  parts.push(element("div", { class: "pictures" }, main.map((one) => picture(one, one.caption, found.scale))));
  parts.push(element("div", { class: "facts" }, [
    numbers(found.numbers), ...(found.curve ? [curve(found.curve)] : []),
  ]));
  if (samples.length)
    parts.push(element("h3", {}, `${samples.length} samples of the prediction`),
      element("div", { class: "samples" }, samples.map((one) => picture(one))));
  if (measured.length)
    parts.push(element("h3", {}, "Measured micrographs that this pattern fits best"),
      element("div", { class: "samples" }, measured.map((one) => picture(one, one.caption))));
  parts.push(reasons);
  return element("article", {}, parts);
}

// What to measure next: a card for each sample, the map of all.
export function suggestions(found) {
  const cards = found.cards.map((card, at) => element("article", {}, [
    element("h2", {}, `${at + 1}. ${card.id}`), element("p", {}, `${card.reason}.`),
    element("p", { class: "note" }, card.facts.join(", ")),
    element("div", { class: "samples" }, card.pictures.map((one) => picture(one)))]));
  return [element("h2", {}, found.title), element("p", {}, found.advice), ...cards,
    element("figure", { class: "map" }, element("img", { src: found.map, alt: "Map of measured samples, suggested ones, and the rest" })),
    element("ul", {}, found.errors.map((line) => element("li", {}, line)))];
}

const SCORES = {
  s2_mae: "S(r)", s2_mean16_mae: "S(r), mean of 16 images", lineal_path_mae: "lineal path", phase_fraction_error: "phase fraction",
  spacing_error: "spacing", orientation_error: "orientation", mae: "pixels", ring_position: "ring position",
  arc_angle_deg: "direction of arcs (°)", spot_px: "grating spots (px)",
};

// "saxs_sem.s2_mae" in words; nothing for scores that few people ask for.
function worded(key) {
  const [direction, score] = key.split(".");
  return score in SCORES ? `${direction.toUpperCase().replace("_", " to ")}: ${SCORES[score]}` : null;
}

export function scores(models) {
  const [first, second] = models;
  const shared = Object.keys(first.scores).filter((key) => key in second.scores && worded(key)).sort();
  if (!shared.length) return element("p", { class: "note" }, "These versions carry no validation scores to compare.");
  const row = (key) => {
    const values = [first.scores[key], second.scores[key]];
    const best = Math.min(...values);
    return element("tr", {}, [element("th", { scope: "row" }, worded(key)),
      ...values.map((value) => element("td", value === best ? { class: "best" } : {}, value.toPrecision(4)))]);
  };
  const head = element("tr", {}, ["Median validation error", ...models.map((one) => one.title)]
    .map((text) => element("th", { scope: "col" }, text)));
  return element("details", {}, [element("summary", {}, "Validation scores of both"),
    element("table", {}, [element("thead", {}, head), element("tbody", {}, shared.map(row))])]);
}
