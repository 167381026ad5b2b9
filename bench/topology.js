// What runs in the pages of bench.topology and bench.live.  A time ends with the frame after the one that was painted.

const PATIENCE_MS = 60_000;
const EVENT_MS = 10_000;
const frame = () => new Promise(requestAnimationFrame);

async function timed(work) {
	const began = performance.now();
	await work();
	return performance.now() - began;
}

// Until the picture has drawn itself, lines included, in such a way that this is so, and that was painted; or until it is too late.
async function painted(root, isSo, patience = PATIENCE_MS) {
	let watch, late;
	await new Promise((resolve) => {
		watch = new MutationObserver(() => isSo() && resolve());
		watch.observe(root, { attributeFilter: ["data-painted"] });
		late = setTimeout(resolve, patience);
	});
	watch.disconnect();
	clearTimeout(late);
	await frame();
	await frame();
}

// A real notebook's picture: when (as Date.now() says) it shows these words in these containers, by id.
export async function shows(words) {
	const root = document.querySelector(".kba");
	const has = ([id, word]) => root.querySelector(`[data-id="container:${id}"] .head`)?.textContent.includes(word);
	await painted(root, () => Object.entries(words).every(has), EVENT_MS);
	return Date.now();
}

// anywidget's end of the protocol.  Messages come as text, as from a kernel.
class Model {
	constructor(messages) { this.messages = messages; }
	get() { return ""; }
	set() {}
	save_changes() {}
	on(event, listener) { if (event === "msg:custom") this.listener = listener; }
	send({ want }) { if (want === "all") this.messages.forEach((text) => this.tell(text)); }
	tell(text) { this.listener(JSON.parse(text)); }
}

const stage = () => document.body.appendChild(document.createElement("div"));

export class Live {
	constructor(widget) { this.widget = widget.default; }
	clear() { document.body.replaceChildren(); }

	painted(revision) {
		const root = document.querySelector(".kba");
		return painted(root, () => root.dataset.painted === `${revision}`);
	}

	// Longer than "from message on": the frame around the picture is made as well.
	first(messages) {
		const el = stage();
		return timed(() => {
			this.model = new Model(messages);
			this.widget.render({ model: this.model, el });
			return this.painted(0);
		});
	}

	update(message, revision) {
		return timed(() => {
			this.model.tell(message);
			return this.painted(revision);
		});
	}

	// Where the middle of each node is, and how big it is.
	places() {
		return Object.fromEntries([...document.querySelectorAll("[data-id]")].map((el) => {
			const { left, top, width, height } = el.getBoundingClientRect();
			return [el.dataset.id, { x: left + width / 2, y: top + height / 2, width, height }];
		}));
	}
}

const STYLE = [
	{ selector: "node", style: { label: "data(label)", shape: "round-rectangle", "border-width": 2, "font-size": 12, "text-wrap": "wrap",
		"text-valign": "center", "text-max-width": 160, width: "data(width)", height: "data(height)", "background-color": "#fff" } },
	{ selector: ":parent", style: { "text-valign": "top", "border-style": "dotted" } },
	{ selector: "[state = 'running']", style: { "border-color": "#1b7f3b" } },
	{ selector: "[state = 'paused']", style: { "border-color": "#1f5fbf", "border-style": "double", "border-width": 3 } },
	{ selector: "edge", style: { width: 1.5, "line-color": "#1f5fbf" } },
];

// The peer draws the same nodes, inside each other in the same way, with the same words and lines; its edges in its fastest style and without
// dashes.  It is told by the same messages.  Each node is where it stands in the live picture, so no layout is computed, neither at
// first nor for an update; and as there, what is in the window is drawn in its full size, and the rest is out of sight.
export class Cytoscape {
	constructor(library, places) { Object.assign(this, { library: library.default, places }); }

	clear() {
		this.cy?.destroy();
		document.body.replaceChildren();
	}

	data({ id, parent, state, shown }) {
		const { width, height } = this.places[id];
		return { id, parent: parent || undefined, state, label: Object.values(shown).filter(Boolean).join("\n"), width, height };
	}

	// It draws in a frame's own callback, so the next frame is the one after that was painted.
	async painted() {
		await new Promise((resolve) => this.cy.one("render", resolve));
		await frame();
	}

	first(messages) {
		const container = stage();
		container.style.height = "100vh";
		return timed(() => {
			const { set } = messages.map((text) => JSON.parse(text)).find(({ t }) => t === "all");
			const nodes = set.map((node) => ({ data: this.data(node), position: { ...this.places[node.id] } }));
			const edges = set.flatMap(({ id, to = [] }) => to.map((lane) => ({ data: { source: id, target: lane } })));
			this.cy = this.library({ container, elements: { nodes, edges }, style: STYLE, layout: { name: "preset", fit: false } });
			return this.painted();
		});
	}

	update(message) {
		return timed(() => {
			const { set } = JSON.parse(message);
			this.cy.batch(() => set.forEach((node) => this.cy.getElementById(node.id).data(this.data(node))));
			return this.painted();
		});
	}
}
