// What a picture needs only when somebody asks: more methods of the class in topology.js, and so `this` is the picture.

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
};
