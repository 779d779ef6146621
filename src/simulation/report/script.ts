/**
 * What the report does, as the text of a script: it runs in a browser and has no part in a simulation. Plain canvas: ten
 * thousand marks and as many frames are drawn in a few milliseconds, because only what lies in the window is looked at.
 *
 * It is one script with one scope, in the order of its parts; what a part only calls may stand in a later one.
 */
import { DRAWING } from './drawing.ts'
import { MOVING } from './moving.ts'
import { PANEL } from './panel.ts'
import { STORY } from './story.ts'

export const SCRIPT = STORY + DRAWING + PANEL + MOVING
