/** A version to look at. */
import {Preview, sampleData} from "./preview.js";

const {interface: asked, samples} = JSON.parse(document.getElementById("task").textContent);
new Preview(document.getElementById("preview")).show(asked, sampleData(asked.data, samples));
