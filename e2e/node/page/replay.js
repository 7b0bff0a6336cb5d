// A gateway that replays its stream, which the test holds in the middle: the page
// is there, says so, and goes on by itself once all is read.
'use strict';

const { settings, run, picture, eventually, ask, groups, assert } = require('./harness');

let page;

run({
	async 'the page answers with a bar while the stream is replayed'(h) {
		page = await h.open();
		await h.go(page);
		await page.getByTestId('replay').getByRole('progressbar').waitFor();
		const percent = Number(await page.getByRole('progressbar').getAttribute('value'));
		assert.ok(percent < 100, `${percent} % while the test holds the stream`);
		assert.match(await page.getByTestId('replay').innerText(), /Not ready: .*\d of 10,000 events/s);
		assert.equal(await page.getByTestId('ready').innerText(), 'not ready');
	},

	async 'what has come so far is shown'(h) {
		await eventually('some groups', () => groups(page), (shown) => shown.length === 50);
		const counted = Number(await page.getByTestId('view').getAttribute('data-shown'));
		assert.ok(counted < settings.groups, `${counted} groups during the replay`);
		await picture(page, 'replay-light');
	},

	async 'the stream page has the bar, too'(h) {
		const other = await page.context().newPage();
		await h.go(other, 'stream');
		await other.getByRole('progressbar').waitFor();
		await picture(other, 'replay-stream');
		await other.close();
	},

	async 'without JavaScript it loads itself anew'(h) {
		const plain = await h.browser.newContext({ javaScriptEnabled: false });
		const other = await plain.newPage();
		await h.go(other);
		await other.getByRole('progressbar').waitFor();
		assert.equal(await other.locator('noscript meta[http-equiv=refresh], meta[http-equiv=refresh]').count(), 1);
		await plain.close();
	},

	async 'the bar goes when all is read, and the page was not loaded anew'(h) {
		await page.evaluate(() => (window.stayed = true));
		assert.equal((await ask('POST', settings.release)).code, 200);
		await page.getByRole('progressbar').waitFor({ state: 'detached' });
		await eventually('all groups', () => page.getByTestId('view').getAttribute('data-shown'), (n) => Number(n) === settings.groups);
		assert.equal(await page.getByTestId('ready').innerText(), 'ready');
		assert.ok(await page.evaluate(() => window.stayed));
	},
});
