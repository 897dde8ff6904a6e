// The guided tour: it sets the state, lights one part of the drawing, and says what is there.
import { $, withSubscripts } from "./dom.js";
import { STEPS } from "./steps.js";

/** Put the card at the bottom, on the side where it hides less of the lit part. */
function placeCard(part) {
    const { left, right } = part.getBoundingClientRect();
    const room = $("#tour").offsetWidth + 32;
    $("#tour").classList.toggle("at-left", right > innerWidth - room && left > room);
}

/** Scroll to a part: its top comes to the top of a narrow or low window, where the card hides less. */
function bringUp(part) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const narrow = getComputedStyle($("#drawing")).display === "flex"; // one stage below another
    const fits = part.offsetHeight < innerHeight - 24 && !part.matches("#why, #training");
    part.scrollIntoView({
        behavior: calm ? "auto" : "smooth",
        block: narrow || !fits ? "start" : "nearest",
    });
}

const LAST = STEPS.length - 1;

export function makeTour({ state, actions }) {
    let step = -1;
    let before = null; // the visitor's state, which the last step brings back, or an earlier end

    function show(next) {
        document.querySelector(".lit")?.classList.remove("lit");
        if (step < 0) before = { ...state };
        const mine = step === LAST; // the visitor may have changed something there: it stays
        step = next;
        const open = step >= 0 && step <= LAST;
        $("#tour").hidden = !open;
        document.body.classList.toggle("touring", open);
        if (!open) return leave(mine);
        const { part, heading, text, changes } = STEPS[step];
        if (step === LAST) bringBack();
        else actions.present(changes);
        $("#tour-count").textContent = `Step ${step + 1} of ${STEPS.length}`;
        $("#tour-heading").textContent = heading;
        $("#tour-text").replaceChildren(...withSubscripts(text));
        $("#tour-back").disabled = step === 0;
        $("#tour-next").textContent = step === LAST ? "Play freely" : "Next";
        light();
        $("#tour-heading").focus({ preventScroll: true });
        bringUp($(part));
        placeCard($(part));
    }

    const bringBack = () => actions.set({ ...before, fresh: true });

    function leave(mine) {
        step = -1;
        if (!mine) bringBack();
        $("#start-tour").focus({ preventScroll: true });
    }

    /** Mark the lit part, also after it was drawn anew. */
    function light() {
        if (step >= 0) $(STEPS[step].part)?.classList.add("lit");
    }

    $("#start-tour").addEventListener("click", () => show(0));
    $("#tour-next").addEventListener("click", () => show(step + 1));
    $("#tour-back").addEventListener("click", () => show(step - 1));
    $("#tour-close").addEventListener("click", () => show(-1));
    document.addEventListener("keydown", (event) => {
        const { key, target } = event;
        const modified = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
        if (step < 0 || event.defaultPrevented || modified) return;
        if (key === "Escape" && !target.matches("select")) show(-1);
        if (!target.closest("#tour")) return; // arrows belong to what has the focus
        if (key === "ArrowRight") show(step + 1);
        if (key === "ArrowLeft" && step > 0) show(step - 1);
    });
    return light;
}
