// The page: asks the server it came from, shows what it says. Nothing is loaded from anywhere else.
import { condition, element, result, scores, suggestions } from "./drawing.js";
import { Plane } from "./latent.js";

const get = (id) => document.getElementById(id);
const KNOWN = ["nm_per_px", "q_per_px", "beam_centre", "q_unit"];
const PICTURES = ["png", "jpg", "jpeg", "tif", "tiff", "npy"];
let about = { models: [], modalities: [] };
let last = null;
let turn = 0;
const taken = {}; // by model: the conditions that move predictions from each modality

function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}
const shown = token();

function problem(text) {
  get("problem").textContent = text;
  get("problem").hidden = !text;
}

async function send(path, options = {}) {
  const headers = { ...(options.headers ?? {}), ...(shown ? { Authorization: `Bearer ${shown}` } : {}) };
  try {
    const answer = await fetch(path, { ...options, headers });
    if (answer.ok) {
      problem("");
      return answer;
    }
    const told = await answer.json().catch(() => ({}));
    problem(typeof told.error === "string" ? told.error : `The server answers ${answer.status}: check samples and seed.`);
  } catch {
    problem("The server does not answer: is `pairvae app` still running?");
  }
  return null;
}

const ask = async (path) => (await send(path))?.json();
const plane = new Plane(ask);

function query(model) {
  const source = document.querySelector("input[name=source]:checked").value;
  const known = Object.fromEntries(KNOWN.filter((name) => takes(source, name) && get(name).value).map((name) => [name, get(name).value]));
  const asked = new URLSearchParams({ source, model, name: last.name.slice(-200), samples: get("samples").value, seed: get("seed").value, ...known });
  if (about.modalities.length > 2) asked.append("target", get("target").value);
  const names = (taken[model]?.[source] ?? []).map((one) => one.name);
  for (const field of document.querySelectorAll("#conditions [data-name]"))
    if (field.value && names.includes(field.dataset.name)) asked.append("condition", `${field.dataset.name}=${field.value}`);
  return asked;
}

const models = () => (get("compare").checked ? about.models.map((one) => one.name) : [get("model").value]);

async function conditions(model) {
  if (!taken[model]) {
    const found = await ask(`/api/about?model=${encodeURIComponent(model)}`);
    if (found) taken[model] = Object.fromEntries(found.modalities.map((one) => [one.name, one.conditions]));
  }
}

const takes = (source, name) => about.modalities.find((one) => one.name === source)?.known.includes(name);

function offer() {
  const source = document.querySelector("input[name=source]:checked").value;
  for (const name of KNOWN) get(`${name}-label`).hidden = !takes(source, name);
  const before = get("target").value;
  const targets = about.modalities.filter((one) => one.name !== source);
  get("target-label").hidden = targets.length < 2;
  get("target").replaceChildren(...targets.map((one) => element("option", { value: one.name }, one.title)));
  const usual = about.modalities.find((one) => one.name === source)?.partner;
  get("target").value = targets.some((one) => one.name === before) ? before : usual;
  const each = models().flatMap((model) => taken[model]?.[source] ?? []);
  const fields = [...new Map(each.map((one) => [one.name, one])).values()];
  const now = [...document.querySelectorAll("#conditions [data-name]")];
  if (fields.map((one) => one.name).join() === now.map((one) => one.dataset.name).join()) return;
  const typed = Object.fromEntries(now.map((one) => [one.dataset.name, one.value]));
  get("conditions").replaceChildren(...fields.map(condition));
  for (const field of document.querySelectorAll("#conditions [data-name]")) field.value = typed[field.dataset.name] ?? "";
}

const post = (path) => send(path, { method: "POST", body: last, headers: { "Content-Type": "application/octet-stream" } });

async function download(model) {
  const answer = await post(`/api/predict.zip?${query(model)}`);
  if (!answer) return;
  const link = element("a", { download: `${last.name.replace(/\.[^.]*$/, "")}-predicted.zip` });
  link.href = URL.createObjectURL(await answer.blob());
  link.click();
  URL.revokeObjectURL(link.href);
}

async function explain(model) {
  const asked = query(model);
  asked.delete("samples");
  return (await post(`/api/explain?${asked}`))?.json();
}

async function suggest() {
  get("suggestions").replaceChildren(element("p", { class: "note" }, "Comparing all samples without a partner …"));
  const found = await ask(`/api/suggestions?count=${get("count").value}&model=${encodeURIComponent(get("model").value)}`);
  get("suggestions").replaceChildren(...(found ? suggestions(found) : []));
}

async function predict() {
  if (!last || !get("form").reportValidity()) return;
  const mine = ++turn;
  const compare = get("compare").checked;
  const wanted = compare ? about.models : about.models.filter((one) => one.name === get("model").value);
  get("busy").textContent = `Predicting from ${last.name} …`;
  get("results").setAttribute("aria-busy", "true"); // what is still shown belongs to the file before
  const cards = [];
  for (const model of wanted) {
    const found = await (await post(`/api/predict?${query(model.name)}`))?.json();
    if (mine !== turn) return;
    if (!found) break;
    const title = compare ? `${found.title} by the ${model.title}` : `${found.title} predicted from ${found.name}`;
    cards.push(result(found, title, () => download(model.name), () => explain(model.name)));
  }
  get("busy").textContent = "";
  get("results").setAttribute("aria-busy", "false");
  const whole = cards.length === wanted.length;
  get("results").classList.toggle("two", whole && compare);
  get("results").replaceChildren(...(whole ? cards : []), ...(whole && compare ? [scores(about.models)] : []));
}

async function take(file) {
  if (!file) return;
  last = file;
  const mine = ++turn;
  get("busy").textContent = `Looking at ${file.name} …`;
  const found = await (await post(`/api/technique?${new URLSearchParams({ model: get("model").value, name: file.name.slice(-200) })}`))?.json();
  if (mine !== turn) return; // somebody has chosen meanwhile
  const box = [...document.querySelectorAll("input[name=source]")].find((one) => one.value === found?.source);
  if (box) box.checked = true;
  offer();
  predict();
}

function view(name) {
  problem(""); // of the view before
  for (const one of ["predict", "latent", "next"]) {
    get(one).hidden = one !== name;
    get(`tab-${one}`).setAttribute("aria-pressed", String(one === name));
  }
  if (name === "latent") plane.show(get("model").value);
  if (name === "next") suggest();
}

async function start() {
  const found = await ask("/api/about");
  if (!found) return;
  about = found;
  taken[about.models[0].name] = Object.fromEntries(about.modalities.map((one) => [one.name, one.conditions]));
  get("model").replaceChildren(...about.models.map((one) => element("option", { value: one.name }, one.title)));
  get("model-label").hidden = about.models.length < 2;
  get("compare-label").hidden = about.models.length < 2;
  get("model-name").textContent = about.models.length < 2 ? `Model: ${about.models[0].title}` : "";
  get("techniques").textContent = about.modalities.map((one) => one.title).join(" or ");
  get("sources").replaceChildren(...about.modalities.map((one, at) => element("label", {}, [
    element("input", { type: "radio", name: "source", value: one.name, ...(at ? {} : { checked: "" }) }), ` ${one.title}`])));
  offer();
  get("latent-modality").replaceChildren(...about.modalities.map((one) => element("option", { value: one.name }, one.title)));
  const kinds = [...new Set(about.modalities.flatMap((one) => one.suffixes))];
  get("kinds").textContent = PICTURES.filter((one) => kinds.includes(one)).join(", ") + (kinds.length > PICTURES.length ? " and detector formats" : "");
}

get("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
async function update() {
  for (const model of models()) await conditions(model);
  offer();
}

async function chosen() {
  await update();
  predict();
}

get("choices").addEventListener("change", chosen);
get("form").addEventListener("submit", (event) => event.preventDefault());
get("model").addEventListener("change", () => (get("latent").hidden ? chosen() : update().then(() => plane.show(get("model").value))));
get("tab-predict").addEventListener("click", () => view("predict"));
get("tab-latent").addEventListener("click", () => view("latent"));
get("tab-next").addEventListener("click", () => view("next"));
get("count").addEventListener("change", () => get("count").reportValidity() && suggest());
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    get("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files[0]);
  });
start();
