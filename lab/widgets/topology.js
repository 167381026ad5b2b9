// Nodes arrive once, then what changed, and an element stays where it is.  What a box says is text, never markup.

const SLOT = { deployment: "deployments", network: "lanes", service: "lanes" };
const ITEM = "[role=treeitem]";
const GRIDS = ".grid, .deployments, :is(.deployment, .group) > .body";
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const make = (tag, style = "", text = "", more) => Object.assign(document.createElement(tag), { className: style, textContent: text }, more);
const shape = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);

class Picture {
	els = new Map();
	revision = -1;

	constructor(model, el, signal) {
		this.model = model;
		this.build(el);
		addEventListener("keydown", (event) => this.key(event), { capture: true, signal });
		model.on("msg:custom", (message) => (this.more ? this.more.then(() => this[message.t]?.(message)) : this[message.t]?.(message)));
		model.on("change:selected", () => this.mark());
		model.widget_manager?.kernel?.statusChanged.connect((_, status) => {
			const lost = /unknown|dead|restarting/.test(status);
			if (lost) this.badge({ text: "⚠ no kernel: this was seen last", stale: true });
			else if (this.lost) model.send({ want: "all" });
			this.lost = lost;
		});
		// Before the first call the element is not attached.
		new ResizeObserver(this.filter.oninput).observe(this.filter.parentNode);
		model.send({ want: "all" });
	}

	build(el) {
		this.root = make("div", "kba", "", { role: "group", ariaLabel: "What is on the box" });
		const bar = make("div", "bar");
		this.badge_ = make("span", "badge", "…", { role: "status" });
		this.filter = make("input", "filter", "", { type: "search", placeholder: "filter ( / )", ariaLabel: "Filter" });
		this.filter.oninput = () => { this.hold(); this.sift(); };
		bar.append(this.badge_, this.filter);
		for (const label of ["Legend, keys ( ? )", "As text"]) bar.appendChild(make("details")).append(make("summary", "", label), make("pre"));
		[this.help, this.words] = bar.querySelectorAll("details");
		this.words.ontoggle = () => this.model.send({ want: "text" });
		this.stage = make("div", "stage");
		this.tree = make("div", "tree", "", { role: "tree", ariaLabel: "What is inside what" });
		this.edges = shape("svg");
		this.stage.append(this.edges, this.tree);
		this.about = make("section", "details", "", { ariaLabel: "Details", hidden: true });
		this.root.append(bar, this.stage, this.about);
		this.tree.onclick = (event) => this.open(event.target.closest(ITEM));
		el.append(this.root);
	}

	hello({ legend, keys }) {
		const pre = this.help.lastChild;
		pre.textContent = keys;
		for (const [style, label] of legend) pre.append(make("span", `sample ${style}`), `${label}\n`);
	}

	all({ revision, set }) {
		const kept = set.map(({ id }) => id);
		this.apply(revision, set, [...this.els.keys()].reverse().filter((id) => !kept.includes(id)), this.revision < 0);
	}

	delta({ revision, set, gone }) {
		if (revision === this.revision + 1) this.apply(revision, set, gone);
		else if (revision > this.revision) this.model.send({ want: "all" });
	}

	badge({ text, stale }) {
		this.badge_.textContent = text;
		this.root.classList.toggle("stale", stale);
	}

	text({ text }) { this.words.lastChild.textContent = text; }

	// What is not needed at first, on_demand.js, comes as text, and brings methods of its own.
	load({ source }) {
		this.more = import(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))).then((more) => Object.assign(this, more.default));
	}

	apply(revision, set, gone, first) {
		this.revision = revision;
		const lively = !first && !still();
		const flags = { "is-new": [], "is-changed": [] }, focused = document.activeElement;
		for (const id of gone) this.remove(id, lively);
		for (const node of set) {
			const el = this.els.get(node.id) ?? this.create(node), before = el.node;
			if (JSON.stringify(before) === JSON.stringify(node)) continue;
			el.node = node;
			if (before?.parent !== node.parent) this.place(node, el);
			this.fill(node, el);
			flags[before ? "is-changed" : "is-new"].push(el);
		}
		if (lively) for (const style in flags) this.flash(flags[style], style);
		this.sift();
		if (this.tree.contains(focused) && this.visible().includes(focused)) this.focus(focused);
		if (this.words.open) this.model.send({ want: "text" });
		this.mark();
	}

	flash(els, style, ms = 1200) {
		for (const el of els) el.classList.add(style);
		setTimeout(() => els.forEach((el) => el.classList.remove(style)), ms);
	}

	create({ id, kind }) {
		const el = make("div", "", "", { role: "treeitem", tabIndex: -1 });
		el.dataset.id = id;
		const head = make("div", "head");
		el.parts = { label: make("b"), says: make("span"), where: make("span", "where") };
		head.append(...Object.values(el.parts));
		el.append(head);
		if (kind === "container") el.prepend((el.parts.walls = make("div", "walls", "", { ariaHidden: "true" })));
		else if (SLOT[kind] === "lanes") el.lane = el;
		else {
			const body = make("div", "body", "", { role: "group" });
			el.slots = { grid: body };
			if (kind === "box") {
				for (const name of ["grid", "deployments", "lanes"]) el.slots[name] = make("div", name);
				el.lane = make("div", "lane door", "", { ariaHidden: "true" });
				el.lane.append(make("div", "head", "published ports"));
				body.append(el.lane, ...Object.values(el.slots));
			}
			el.append(body);
		}
		if (kind === "group") el.ariaExpanded = false;
		if (el.lane) el.lane.dataset.ink = [0, 1, 2, 3, 4, 5].find((ink) => !this.tree.querySelector(`[data-ink="${ink}"]`)) ?? 5;
		this.els.set(id, el);
		return el;
	}

	place({ id, kind, parent }, el) {
		const within = this.els.get(parent), slot = within?.slots[SLOT[kind] ?? "grid"] ?? this.tree;
		const was = el.closest(".pod.is-gone") ?? this.els.get(id.replace("pod", "container"));
		this.leave(el);
		const spot = was?.parentNode === slot ? was : slot.querySelector(":scope > .hole");
		if (spot) spot.replaceWith(el);
		else slot.append(el);
		el.ariaLevel = within ? +within.ariaLevel + 1 : 1;
	}

	leave(el) {
		const slot = el.parentNode;
		if (slot?.matches(GRIDS)) el.replaceWith(make("div", "hole"));
		else el.remove();
		while (slot?.lastChild?.className === "hole") slot.lastChild.remove();
		this.soon();
	}

	hold(held) {
		[...this.tree.querySelectorAll(GRIDS)].map((grid) => {
			const { gridTemplateColumns: columns, gridTemplateRows: rows } = getComputedStyle(grid);
			const last = grid.matches(":has(+ .deployments > *)") ? Infinity : Math.ceil(grid.childElementCount / columns.split(" ").length);
			return [grid.style, held ? rows.split(" ").slice(0, last).map((row) => `minmax(${row}, auto)`).join(" ") : ""];
		}).forEach(([style, rows]) => (style.gridTemplateRows = rows));
	}

	remove(id, lively) {
		const el = this.els.get(id);
		if (!this.els.delete(id)) return;
		if (el.contains(document.activeElement)) this.focus(el.parentNode.closest(ITEM));
		if (this.model.get("selected") === id) this.select("");
		el.classList.add("is-gone");
		if (lively) setTimeout(() => this.leave(el), 350);
		else this.leave(el);
	}

	fill(node, el) {
		el.className = `node ${node.kind} st-${node.state}${el === el.lane ? " lane" : ""}`;
		for (const part in node.shown) el.parts[part].textContent = node.shown[part];
		el.ariaLabel = el.title = node.aloud;
		if (node.kind === "box") el.lane.hidden = !node.ways_in;
		el.parts.walls?.replaceChildren(...(node.inner ?? []).map(([kind, up]) => make("span", up ? "wall up" : "wall", kind)));
	}

	// Hidden, nothing has a place; shown again, it has a new size.
	soon() {
		this.due ||= !queueMicrotask(() => {
			this.due = false;
			if (this.stage.offsetParent) this.draw();
		});
	}

	at(el, origin = this.stage.getBoundingClientRect()) {
		const { x, y, width, height } = el.getBoundingClientRect();
		return [x - origin.x, y - origin.y, width, height];
	}

	// Lines run in the gutters, each to the next one on its way.
	draw() {
		this.hold(true);
		const ways = {}, lines = [], origin = this.stage.getBoundingClientRect();
		for (const el of this.els.values()) {
			const { to = [], cut = [] } = el.node;
			if (el.offsetParent && el.ariaExpanded !== "true") for (const lane of to) (ways[lane] ??= []).push([...this.at(el, origin), cut.includes(lane)]);
		}
		for (const [id, { lane }] of this.els) {
			if (!lane?.offsetParent || lane.hidden) continue;
			const [left, top, width, height] = this.at(lane, origin), { ink } = lane.dataset, middle = top + height / 2, ends = {};
			const away = ([, y]) => Math.abs(y - middle);
			lines.push([ink, `M${left} ${middle}H${left + width}`]);
			for (const [x, y, , , cut] of ways[id]?.sort((a, b) => away(a) - away(b)) ?? []) {
				const side = x - 5 - 4 * ink, out = y + 9 + 3 * ink, end = ends[side] ?? middle;
				lines.push([ink, `M${x} ${out}H${side}${cut ? "" : `V${end}`}`]);
				if (cut) lines.push([ink, `M${side} ${out}m-4-4l8 8m0-8l-8 8`, "cross"]);
				else ends[side] = out;
			}
		}
		if (this.lines !== (this.lines = `${lines}`)) this.edges.replaceChildren(...lines.map(([ink, d, style = ""]) => {
			const path = shape("path");
			path.setAttribute("d", d);
			path.setAttribute("class", style);
			path.dataset.ink = ink;
			return path;
		}));
		this.over?.();
		this.root.dataset.painted = this.revision;
	}

	sift() {
		const wanted = this.filter.value.trim().toLowerCase(), all = [...this.els.values()], shown = new Set();
		this.root.classList.toggle("sifted", wanted);
		this.found = all.filter((el) => el.node.aloud.toLowerCase().includes(wanted));
		for (let el of this.found) for (; el; el = this.els.get(el.node.parent)) shown.add(el);
		const folded = (el) => !wanted && this.els.get(el.node.parent)?.ariaExpanded === "false";
		for (const el of all) el.hidden = (!shown.has(el) || folded(el)) && !el.parentNode.closest(".pod");
		this.filter.ariaInvalid = !shown.size;
		if (!this.visible().includes(this.stop)) this.rove(this.visible()[0]);
		this.soon();
	}

	key(event) {
		const { key, target } = event, typing = target === this.filter;
		if (event.ctrlKey || event.altKey || event.metaKey || !this.root.contains(target)) return;
		event.stopPropagation();
		if (key === "Escape") this.escape();
		else if (typing && key === "Enter") this.focus(this.visible().find((el) => this.found.includes(el)));
		else if (typing) return;
		else if (key === "/") this.filter.focus();
		else if (key === "?") this.help.open = !this.help.open;
		else if (!target.matches(ITEM)) return;
		else if (key === "Enter" || key === " ") this.open(target);
		else if (target.ariaExpanded === { ArrowRight: "false", ArrowLeft: "true" }[key]) this.fold(target);
		else if (key in this.walk(target)) this.focus(this.walk(target)[key]);
		else return;
		event.preventDefault();
	}

	fold(el) {
		el.ariaExpanded = el.ariaExpanded !== "true";
		this.filter.oninput();
	}

	walk(from) {
		const all = this.visible(), at = all.indexOf(from);
		return {
			ArrowDown: all[at + 1], ArrowUp: all[at - 1], Home: all[0], End: all.at(-1),
			ArrowLeft: from.parentNode.closest(ITEM), ArrowRight: all.find((el) => el !== from && from.contains(el)),
		};
	}

	visible() {
		return [...this.tree.querySelectorAll(ITEM)].filter((el) => el.offsetParent && !el.matches(".is-gone"));
	}

	rove(el) {
		if (this.stop) this.stop.tabIndex = -1;
		if (el) el.tabIndex = 0;
		this.stop = el;
	}

	focus(el) {
		if (!el) return;
		this.rove(el);
		el.focus();
	}

	escape() {
		this.help.open = this.words.open = false;
		this.filter.value = "";
		this.sift();
		this.select("");
		this.focus(this.stop);
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
		if (this.told !== this.chosen?.node.id) this.about.hidden = true;
		this.over?.();
	}

	open(el) {
		if (!el) return;
		this.focus(el);
		if (el.ariaExpanded) this.fold(el);
		this.select(el.dataset.id);
		this.model.send({ want: "details", id: el.dataset.id });
	}
}

export default { render: ({ model, el, signal }) => void new Picture(model, el, signal) };
