// Opens a page in a new browser with an empty cache and prints, in JSON: the
// milliseconds from the navigation until the first row is seen and until the
// document is complete, the bytes that came, and the elements of the document.
//
//     NODE_PATH=build/node/node_modules node paint.js CHROMIUM URL ROW [rows]
//
// ROW is a selector of rows; with "rows" nothing is waited for after the first one.
// A document that is not complete within ten minutes, or ends the tab, has
// complete_ms null.
'use strict';

const { chromium } = require('playwright-core');

const patience = 10 * 60_000;

async function main([executablePath, url, row, until]) {
	const browser = await chromium.launch({
		executablePath,
		args: ['--disable-dev-shm-usage'].concat(process.getuid() === 0 ? ['--no-sandbox'] : []),
	});
	try {
		const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
		page.setDefaultTimeout(patience);
		// A row that has been laid out is seen when the next frame begins.
		await page.addInitScript((selector) => {
			const look = () => {
				const first = document.querySelector(selector);
				if (first && first.getClientRects().length) requestAnimationFrame(() => (window.rowsSeen = performance.now()));
				else requestAnimationFrame(look);
			};
			look();
		}, row);
		const crashed = new Promise((resolve) => page.once('crash', () => resolve('crashed')));
		await page.goto(url, { waitUntil: 'commit' });
		const rows = page.waitForFunction(() => window.rowsSeen).then((seen) => seen.jsonValue());
		const result = { rows_ms: await Promise.race([rows, crashed]), complete_ms: null };
		// What scripts ask for comes after the document.
		const whole = () => page.waitForLoadState('load').then(() => page.waitForLoadState('networkidle')).then(() => 'complete', () => 'late');
		if (until !== 'rows' && (await Promise.race([whole(), crashed])) === 'complete') {
			Object.assign(result, await page.evaluate(() => {
				const [document_] = performance.getEntriesByType('navigation');
				const all = [document_, ...performance.getEntriesByType('resource')];
				return {
					complete_ms: document_.domComplete,
					bytes: all.reduce((sum, entry) => sum + entry.transferSize, 0),
					elements: document.getElementsByTagName('*').length,
				};
			}));
		}
		console.log(JSON.stringify(result));
	} finally {
		await browser.close();
	}
}

main(process.argv.slice(2));
