// A scatter plot on a canvas. It can be moved and zoomed, and its points lead to their files.

import { fileAddress } from "./address.js";
import { h, plural } from "./dom.js";
import { go } from "./navigation.js";

const MOUSE_REACH = 10; // pixels from a point at which it is meant
const FINGER_REACH = 20;
const STILL = 4; // pixels that a pointer may travel and still click
const ZOOM = 1.5; // of the buttons
const [MIN_SCALE, MAX_SCALE] = [0.5, 60];
const HIT_RADIUS = 3; // pixels that a hit's radius is larger
const HOVER_RADIUS = 5;

function radiusFor(count) {
  if (count > 3000) return 2;
  return count > 600 ? 3 : 4.5;
}

const addressOf = (point) => fileAddress(point.file_path, point.id);

export class ScatterPlot {
  // Groups have points (x and y from -1 to 1), on (whether they are shown) and swatch (an element
  // of their colour, set before the plot is painted). Points whose id is in hits stand out.
  constructor(groups, hits) {
    this.groups = groups;
    this.hits = hits;
    const count = groups.reduce((sum, group) => sum + group.points.length, 0);
    this.radius = radiusFor(count);
    this.view = { scale: 1, x: 0, y: 0 };
    this.size = [1, 1];
    this.under = null; // the point under the pointer
    this.planned = false; // whether the next frame paints
    this.fingers = new Map(); // the pointers that are down, and where they are
    this.travelled = 0;
    this.canvas = h("canvas", {
      role: "img",
      "data-points": count,
      "aria-label": `Scatter plot of ${plural(count, "structure")}; the list below is its text`,
    });
    this.tip = h("div", { class: "tip", hidden: true });
    const button = (text, title, onclick) => (
      h("button", { type: "button", "aria-label": title, title, onclick }, text)
    );
    this.frame = h("div", { class: "frame" }, this.canvas, this.tip, h("div", { class: "zoom" },
      button("+", "Zoom in", () => this.zoom(ZOOM)),
      button("−", "Zoom out", () => this.zoom(1 / ZOOM)),
      button("⟲", "Whole map", () => this.reset())));
  }

  // Begins to paint and to listen, until the signal.
  start(signal) {
    const observer = new ResizeObserver(() => {
      this.size = [this.canvas.clientWidth, this.canvas.clientHeight];
      this.paint();
    });
    observer.observe(this.canvas);
    signal.addEventListener("abort", () => observer.disconnect());
    document.addEventListener("themechange", () => this.paint(), { signal });
    const on = (name, method) => {
      this.canvas.addEventListener(name, (event) => method.call(this, event), { passive: false });
    };
    on("pointerdown", this.pointerDown);
    on("pointermove", this.pointerMove);
    on("pointerup", this.pointerUp);
    on("pointercancel", (event) => this.fingers.delete(event.pointerId));
    on("pointerleave", (event) => { if (event.pointerType === "mouse") this.hover(null); });
    on("wheel", this.wheel);
  }

  paint() {
    if (!this.planned) requestAnimationFrame(() => this.draw());
    this.planned = true;
  }

  // Returns where a point is on the canvas, in pixels.
  positionOf({ x, y }) {
    const [width, height] = this.size;
    const half = 0.46 * Math.min(width, height) * this.view.scale;
    return [width / 2 + this.view.x + x * half, height / 2 + this.view.y + y * half];
  }

  shownGroups() {
    return this.groups.filter((group) => group.on);
  }

  draw() {
    this.planned = false;
    const [width, height] = this.size;
    const context = this.canvas.getContext("2d");
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    context.scale(devicePixelRatio, devicePixelRatio);
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.lineWidth = 2;
    for (const areHits of [false, true]) this.drawPoints(context, areHits); // nothing covers hits
    if (!this.under) return;
    context.globalAlpha = 1;
    this.circle(context, this.under, this.radius + HOVER_RADIUS);
    context.stroke();
    this.placeTip();
  }

  drawPoints(context, areHits) {
    context.globalAlpha = areHits || !this.hits.size ? 0.85 : 0.45;
    for (const group of this.shownGroups()) {
      // The style sheet has the colours of both themes.
      context.fillStyle = getComputedStyle(group.swatch).color;
      for (const point of group.points.filter(({ id }) => this.hits.has(id) === areHits)) {
        this.circle(context, point, areHits ? this.radius + HIT_RADIUS : this.radius);
        context.fill();
        if (areHits) context.stroke();
      }
    }
  }

  circle(context, point, radius) {
    context.beginPath();
    context.arc(...this.positionOf(point), radius, 0, 2 * Math.PI);
  }

  placeTip() {
    const [[x, y], [width, height]] = [this.positionOf(this.under), this.size];
    const below = y + 14 + this.tip.offsetHeight <= height;
    const left = Math.max(0, Math.min(x + 12, width - this.tip.offsetWidth));
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${below ? y + 14 : y - 14 - this.tip.offsetHeight}px`;
  }

  // Returns the point nearest to x, y, null if none is within reach.
  pick(x, y, reach) {
    let [best, nearest] = [null, reach];
    for (const point of this.shownGroups().flatMap((group) => group.points)) {
      const [px, py] = this.positionOf(point);
      const distance = Math.hypot(px - x, py - y);
      if (distance < nearest) [best, nearest] = [point, distance];
    }
    return best;
  }

  // Shows what the point is; null hides it.
  hover(point) {
    if (point === this.under) return;
    this.under = point;
    this.tip.hidden = !point;
    this.canvas.classList.toggle("over", Boolean(point));
    if (point) {
      const location = `${point.file_path}:${point.line}`;
      this.tip.replaceChildren(h("b", null, point.symbol), h("span", null, location));
    }
    this.paint();
  }

  move(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.paint();
  }

  // Zooms; what is at x, y stays there.
  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const [{ view }, [width, height]] = [this, this.size];
    const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, view.scale * factor));
    const ratio = 1 - scale / view.scale;
    view.scale = scale;
    this.move((x - width / 2 - view.x) * ratio, (y - height / 2 - view.y) * ratio);
  }

  reset() {
    this.view = { scale: 1, x: 0, y: 0 };
    this.paint();
  }

  pointerDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (this.fingers.size === 1) this.travelled = 0;
  }

  pointerMove(event) {
    const now = { x: event.offsetX, y: event.offsetY };
    const old = this.fingers.get(event.pointerId);
    if (!old) {
      this.hover(this.pick(now.x, now.y, MOUSE_REACH));
      return;
    }
    this.travelled += Math.hypot(now.x - old.x, now.y - old.y);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (finger) => Math.max(20, Math.hypot(finger.x - other.x, finger.y - other.y));
      this.zoom(apart(now) / apart(old), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else if (this.travelled > STILL) {
      this.move(now.x - old.x, now.y - old.y);
    }
    this.fingers.set(event.pointerId, now);
  }

  pointerUp(event) {
    const wasDown = this.fingers.delete(event.pointerId);
    if (!wasDown || this.fingers.size || this.travelled > STILL) return;
    const isMouse = event.pointerType === "mouse";
    const point = this.pick(event.offsetX, event.offsetY, isMouse ? MOUSE_REACH : FINGER_REACH);
    // A finger can't hover: its first tap shows what the point is, the second one opens it.
    if (!point || !(isMouse || point === this.under)) this.hover(point);
    else if (event.ctrlKey || event.metaKey) window.open(addressOf(point));
    else go(addressOf(point));
  }

  wheel(event) {
    event.preventDefault();
    const speed = event.deltaMode ? 0.05 : 0.002; // lines or pixels
    this.zoom(Math.exp(-event.deltaY * speed), event.offsetX, event.offsetY);
  }
}
