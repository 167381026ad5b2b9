// What a picture needs only when somebody asks: more methods of the class in topology.js, and so `this` is the picture.

const BAND = ".box, .lane";
const shape = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
const make = (tag, style, text = "", more) => Object.assign(document.createElement(tag), { className: style, textContent: text }, more);

export default {
	details({ id, title, parts }) {
		if (id !== this.chosen?.node.id) return;
		this.told = id;
		const close = make("button", "close", "Close ( Esc )");
		close.onclick = () => this.escape();
		this.about.replaceChildren(make("b", "", title), close);
		for (const [name, words] of parts) this.about.append(make("div", "", name), make("pre", "", words, { tabIndex: 0 }));
		this.about.hidden = false;
		if (this.root.contains(document.activeElement)) this.about.scrollIntoView({ block: "nearest" });
	},

	// What is drawn for a node: itself, or what it is folded in.
	drawn(id) {
		let el = this.els.get(id);
		while (el && !el.offsetParent) el = this.els.get(el.node.parent);
		return el;
	},

	// The dot leaves the door or the first lane on its way, and runs in the gutters from one to the next.
	pulse({ id, way, request, failed }) {
		const el = this.drawn(id), between = way.map((stop) => this.drawn(stop)).filter((stop) => stop && stop !== el);
		if (!el) return;
		el.dataset.request = request;
		this.flash([...between, el], failed ? "is-failed" : "is-asked", 500);
		const first = between[0] ?? el, door = first.parentNode.closest(".box")?.lane ?? this.tree.firstChild;
		const stops = first.matches(".service") ? [...between, el] : [door, ...between, el];
		if (matchMedia("(prefers-reduced-motion: reduce)").matches || stops[0].hidden) return;
		const spots = stops.map((stop, at) => ({ lane: stop !== el && (!at || stop.lane), spot: this.at(stop.closest(".pod") ?? stop) }));
		let side = spots.find(({ lane }) => !lane).spot[0] - 5, path = `M${side} ${spots[0].spot[1] + 9}`;
		for (const { lane, spot: [x, y] } of spots.slice(1)) {
			if (!lane && x - 5 !== side) path += `H${(side = x - 5)}`;
			path += `V${y + 9}`;
		}
		const dot = make("div", "dot");
		dot.style.offsetPath = `path("${path}H${spots.at(-1).spot[0]}")`;
		this.stage.append(dot);
		dot.animate({ offsetDistance: ["0%", "100%"] }, 300 + 100 * stops.length).onfinish = () => dot.remove();
	},

	// Who can connect to whom, for what is selected.  `over` is called whenever something may have moved.
	reach({ of, edges, words }) {
		this.reached = { of, edges };
		this.caption ??= this.stage.parentNode.insertBefore(make("div", "caption", "", { role: "status" }), this.stage);
		this.caption.textContent = words;
		this.caption.hidden = !words;
		this.over = this.overlay;
		this.over();
	},

	overlay() {
		for (const el of this.stage.querySelectorAll(":scope > .over")) el.remove();
		const { of, edges } = this.reached, here = of === this.model.get("selected") && this.drawn(of), found = new Map();
		if (!here || !edges.length) return;
		for (const [other, out, words, open, number] of edges) {
			const el = this.drawn(other), key = `${out ? "→" : "←"} ${words}`;
			if (!el) continue;
			const it = found.get(el) ?? found.set(el, { lines: new Map(), ways: new Set() }).get(el);
			it.lines.set(key, (it.lines.get(key) ?? 0) + number);
			if (open) it.ways.add(out);
		}
		const svg = shape("svg");
		svg.classList.add("over");
		this.stage.append(svg);
		for (const [el, { lines, ways }] of found) {
			const [x, y, width, height] = this.frame(el), chip = make("div", "chip over", "", { ariaHidden: "true" });
			for (const [words, number] of lines) chip.append(make("div", "", number > 1 ? `${words} x${number}` : words));
			chip.classList.toggle("none", !ways.size);
			chip.classList.toggle("beside", el.matches(BAND));
			Object.assign(chip.style, { left: `${x + width}px`, top: `${y + height}px` });
			this.stage.append(chip);
			if (here.contains(el)) continue;
			const start = this.nearest(here, this.middle(el)), end = this.nearest(el, start);
			for (const out of ways) svg.append(this.arrow(...(out ? [start, end] : [end, start])));
		}
	},

	// Of a box or a lane its words, else the whole of it.
	frame(el) {
		if (!el.matches(BAND)) return this.at(el.closest(".pod") ?? el);
		const [x, y, , height] = this.at(el.querySelector(".head")), [left, , width] = this.at([...el.querySelector(".head").children].findLast((part) => part.textContent));
		return [x, y, left + width - x, height];
	},

	middle(el) {
		const [x, y, width, height] = this.frame(el);
		return [x + width / 2, y + height / 2];
	},

	nearest(el, [toX, toY]) {
		const [x, y, width, height] = this.frame(el), within = (to, from, size) => Math.min(Math.max(to, from), from + size);
		return [within(toX, x, width), within(toY, y, height)];
	},

	arrow([x, y], [endX, endY]) {
		const path = shape("path"), turn = Math.atan2(endY - y, endX - x), tip = (by) => `L${endX - 10 * Math.cos(turn + by)} ${endY - 10 * Math.sin(turn + by)}`;
		path.setAttribute("d", `M${x} ${y}L${endX} ${endY}${tip(0.4)}M${endX} ${endY}${tip(-0.4)}`);
		return path;
	},
};
