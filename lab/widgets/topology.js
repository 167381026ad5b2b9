// The live picture: nodes arrive once, then what changed, and an element stays where it is.  What a box says is text, never markup.

const LANES = 6;
const BRIEFLY_MS = 1200;
const SLOT = { deployment: "deployments", network: "lanes", service: "lanes" };
const ITEM = "[role=treeitem]";
const NONE = { role: "none" };
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function make(tag, style = "", text = "", attributes = {}) {
	const el = Object.assign(document.createElement(tag), { className: style, textContent: text });
	for (const name in attributes) el.setAttribute(name, attributes[name]);
	return el;
}

const shape = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);

class Picture {
	els = new Map();
	panels = {};
	revision = -1;

	constructor(model, el) {
		this.model = model;
		this.build(el);
		this.on = { "msg:custom": (message) => this[message.t]?.(message), "change:selected": () => this.mark() };
		for (const what in this.on) model.on(what, this.on[what]);
		// render() runs before the element is attached; sizes are known from the first call on.
		this.sizes = new ResizeObserver(() => { this.twin("none"); this.soon(); });
		this.sizes.observe(this.stage);
		model.send({ want: "all" });
	}

	build(el) {
		this.root = make("div", "kba", "", { role: "group", "aria-label": "What is on the box", "data-lm-suppress-shortcuts": "true" });
		const bar = make("div", "bar");
		this.badge_ = make("span", "badge", "…", { role: "status" });
		this.filter = make("input", "filter", "", { type: "search", placeholder: "filter ( / )", "aria-label": "Filter" });
		this.filter.oninput = () => this.sift();
		bar.append(this.badge_, this.filter);
		for (const [name, label] of [["help", "Legend, keys ( ? )"], ["words", "As text"]]) {
			const panel = make("pre", `panel ${name}`, "", { tabindex: "0", role: "region", "aria-label": label, hidden: "" });
			panel.button = make("button", "", label, { "aria-expanded": "false" });
			panel.button.onclick = () => this.toggle(name);
			this.panels[name] = panel;
			bar.append(panel.button);
		}
		this.stage = make("div", "stage");
		this.tree = make("div", "tree", "", { role: "tree", "aria-label": "What is inside what" });
		this.edges = shape("svg");
		this.edges.ariaHidden = "true";
		this.stage.append(this.edges, this.tree);
		this.about = make("section", "details", "", { "aria-label": "Details", hidden: "" });
		this.root.append(bar, ...Object.values(this.panels), this.stage, this.about);
		this.root.onkeydown = (event) => this.key(event);
		this.tree.onclick = (event) => this.open(event.target.closest(ITEM));
		el.append(this.root);
	}

	close() {
		for (const what in this.on) this.model.off(what, this.on[what]);
		this.sizes.disconnect();
		this.twin("");
	}

	// The still picture in the output below is for those who have no live one.
	twin(display) {
		this.output = this.root.closest(".jp-OutputArea-child") ?? this.output;
		const next = this.output?.nextElementSibling;
		if (next?.querySelector(".jp-RenderedSVG")) next.style.display = display;
	}

	// What Python sends, by its kind:

	hello({ legend, keys }) {
		this.panels.help.textContent = keys;
		for (const [style, label] of legend) this.panels.help.append(make("span", `sample ${style}`), `${label}\n`);
	}

	all({ revision, set }) {
		const kept = new Set(set.map((node) => node.id));
		this.apply(revision, set, [...this.els.keys()].reverse().filter((id) => !kept.has(id)), this.revision < 0);
	}

	delta({ revision, set, gone }) {
		if (revision === this.revision + 1) this.apply(revision, set, gone);
		else if (revision > this.revision) this.model.send({ want: "all" });
	}

	badge({ text, stale }) {
		this.badge_.textContent = text;
		this.root.classList.toggle("stale", stale);
	}

	text({ text }) { this.panels.words.textContent = text; }

	details({ id, title, parts }) {
		if (id !== this.chosen?.node.id) return;
		const close = make("button", "close", "Close ( Esc )");
		close.onclick = () => this.escape();
		this.about.replaceChildren(make("b", "", title), close);
		for (const [name, words] of parts) this.about.append(make("div", "", name), make("pre", "", words, { tabindex: "0" }));
		this.about.hidden = false;
		this.soon();
	}

	// A request that was really made runs from the published ports to who answered.
	pulse({ id, request, failed }) {
		const el = this.els.get(id);
		if (!el) return;
		el.dataset.request = request;
		this.flash([el], failed ? "is-failed" : "is-asked", 500);
		const { door } = el.closest(".box"), [x, y] = this.at(el.parentNode.closest(".pod") ?? el), [, top] = this.at(door);
		if (still() || door.hidden) return;
		const dot = make("div", "dot", "", { "aria-hidden": "true" });
		dot.style.offsetPath = `path("M${x - 5} ${top + 9}V${y + 9}H${x}")`;
		this.stage.append(dot);
		dot.animate({ offsetDistance: ["0%", "100%"] }, 400).onfinish = () => dot.remove();
	}

	apply(revision, set, gone, first) {
		this.revision = revision;
		const lively = !first && !still() && set.length + gone.length < 100;
		const flags = { "is-new": [], "is-changed": [] };
		for (const id of gone) this.remove(id, lively);
		for (const node of set) {
			const el = this.els.get(node.id) ?? this.create(node), before = el.node;
			el.node = node;
			if (before?.parent !== node.parent) this.place(node, el);
			this.fill(node, el);
			flags[before ? "is-changed" : "is-new"].push(el);
		}
		if (lively) for (const style in flags) this.flash(flags[style], style);
		if (!this.tree.querySelector("[tabindex='0']")) this.tree.firstChild?.setAttribute("tabindex", "0");
		if (this.filter.value) this.sift();
		if (!this.panels.words.hidden) this.model.send({ want: "text" });
		this.mark();
		this.soon();
	}

	flash(els, style, ms = BRIEFLY_MS) {
		for (const el of els) el.classList.add(style);
		if (els.length) setTimeout(() => els.forEach((el) => el.classList.remove(style)), ms);
	}

	create({ id, kind }) {
		const el = make("div", "", "", { role: "treeitem", tabindex: "-1", "data-id": id });
		const head = make("div", "head");
		el.parts = { label: make("b"), says: make("span"), where: make("span", "where") };
		head.append(...Object.values(el.parts));
		el.append(head);
		const slot = (name, role = "none") => make("div", name, "", { role });
		if (kind === "container") el.prepend((el.parts.walls = make("div", "walls", "", { "aria-hidden": "true" })));
		else if (!SLOT[kind] || kind === "deployment") {
			const body = slot(kind === "deployment" ? "body grid" : "body", "group");
			el.slots = { grid: body };
			if (kind === "box") {
				for (const name of ["grid", "deployments", "lanes"]) el.slots[name] = slot(name);
				el.door = make("div", "lane door", "published ports", { "aria-hidden": "true" });
				body.append(el.door, ...Object.values(el.slots));
			}
			el.append(body);
		}
		this.els.set(id, el);
		return el;
	}

	// A newcomer takes the place of one that has gone, or comes last: what stays never moves.
	place({ id, kind, parent }, el) {
		const within = this.els.get(parent);
		if (!within) return void this.tree.append(el);
		const slot = within.slots[SLOT[kind] ?? "grid"];
		if (el.parentNode) this.leave(el);
		const first = kind === "pod" && this.els.get(id.replace("pod", "container"));
		const spot = first?.parentNode === slot ? first : slot.querySelector(":scope > .hole");
		if (spot) spot.replaceWith(el);
		else slot.append(el);
		el.ariaLevel = 1 + Number(within.ariaLevel);
	}

	leave(el) {
		const slot = el.parentNode;
		if (slot.classList.contains("grid")) el.replaceWith(make("div", "hole", "", NONE));
		else el.remove();
		while (slot.lastChild?.className === "hole") slot.lastChild.remove();
	}

	remove(id, lively) {
		const el = this.els.get(id);
		if (!this.els.delete(id) || !el.parentNode) return;
		if (el.contains(document.activeElement)) this.focus(el.parentNode.closest(ITEM));
		if (this.model.get("selected") === id) this.select("");
		if (!lively) return this.leave(el);
		el.classList.add("is-gone");
		el.ariaHidden = "true";
		setTimeout(() => el.parentNode && this.leave(el), 350);
	}

	fill(node, el) {
		el.className = `node ${node.kind} st-${node.state ?? ""}${SLOT[node.kind] === "lanes" ? " lane" : ""}`;
		for (const part of ["label", "says", "where"]) el.parts[part].textContent = node.shown[part];
		el.ariaLabel = el.title = node.aloud;
		if (el.door) el.door.hidden = !node.ways_in;
		el.parts.walls?.replaceChildren(...(node.inner ?? []).map(([kind, up]) => make("span", up ? "wall up" : "wall", kind)));
	}

	soon() {
		cancelAnimationFrame(this.frame);
		this.frame = requestAnimationFrame(() => this.draw());
	}

	at(el) {
		const origin = this.stage.getBoundingClientRect(), { left, top, height } = el.getBoundingClientRect();
		return [left - origin.left, top - origin.top, height];
	}

	// Lines run in the gutters between columns.
	draw() {
		const lanes = new Map();
		for (const [id, el] of this.els) {
			const lane = el.door ?? (el.matches(".lane") && el);
			if (lane) lanes.set(id, { el: lane, ways: [], number: lanes.size % LANES });
		}
		for (const el of this.els.values()) {
			if (el.node.to && el.offsetParent) for (const lane of el.node.to) lanes.get(lane)?.ways.push(this.at(el));
		}
		const paths = [...lanes.values()].map(({ el, ways, number }) => {
			const [, top, height] = this.at(el), path = shape("path");
			path.setAttribute("d", ways.map(([x, y]) => `M${x} ${y + 9 + 3 * number}H${x - 5 - 4 * number}V${top + height / 2}`).join(""));
			path.dataset.ink = el.dataset.ink = number;
			return path;
		});
		this.edges.replaceChildren(...paths);
		this.root.dataset.painted = this.revision;
	}

	sift() {
		const wanted = this.filter.value.trim().toLowerCase(), shown = new Set();
		for (const el of this.els.values()) {
			if (el.node.aloud.toLowerCase().includes(wanted)) for (let at = el; at; at = this.els.get(at.node.parent)) shown.add(at);
		}
		for (const el of this.els.values()) el.hidden = !shown.has(el);
		this.soon();
	}

	key(event) {
		const { key, target } = event, typing = target === this.filter;
		if (event.ctrlKey || event.altKey || event.metaKey) return;
		if (key === "Escape") this.escape();
		else if (typing && key === "Enter") this.focus(this.visible()[0]);
		else if (typing) return;
		else if (key === "/") this.filter.focus();
		else if (key === "?") this.toggle("help");
		else if (!target.matches(ITEM)) return;
		else if (key === "Enter" || key === " ") this.open(target);
		else if (key in this.walk(target)) this.focus(this.walk(target)[key]);
		else return;
		event.preventDefault();
		event.stopPropagation();
	}

	walk(from) {
		const all = this.visible(), at = all.indexOf(from);
		return {
			ArrowDown: all[at + 1], ArrowUp: all[at - 1], Home: all[0], End: all.at(-1),
			ArrowLeft: from.parentNode.closest(ITEM), ArrowRight: from.querySelector(`${ITEM}:not([hidden])`),
		};
	}

	visible() {
		return [...this.tree.querySelectorAll(ITEM)].filter((el) => el.offsetParent && !el.ariaHidden);
	}

	focus(el) {
		if (!el) return;
		this.tree.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
		el.setAttribute("tabindex", "0");
		el.focus();
	}

	escape() {
		const before = this.chosen;
		for (const name in this.panels) if (!this.panels[name].hidden) this.toggle(name);
		this.filter.value = "";
		this.sift();
		this.select("");
		this.focus(before ?? this.visible()[0]);
	}

	toggle(name) {
		const panel = this.panels[name], open = panel.hidden;
		panel.hidden = !open;
		panel.button.ariaExpanded = String(open);
		if (name === "words" && open) this.model.send({ want: "text" });
		this.soon();
	}

	get chosen() {
		return this.els.get(this.model.get("selected"));
	}

	select(id) {
		this.model.set("selected", id);
		this.model.save_changes();
		this.mark();
	}

	mark() {
		this.tree.querySelector("[aria-selected]")?.removeAttribute("aria-selected");
		if (this.chosen) this.chosen.ariaSelected = "true";
		else this.about.hidden = true;
	}

	open(el) {
		if (!el) return;
		this.focus(el);
		this.select(el.dataset.id);
		this.model.send({ want: "details", id: el.dataset.id });
	}
}

export default {
	render({ model, el }) {
		const picture = new Picture(model, el);
		return () => picture.close();
	},
};
