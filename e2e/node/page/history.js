// What the last pushes of a group changed, with --bus.history=5.
'use strict';

const { settings, run, picture, push, assert } = require('./harness');

const group = '/job/yearly/instance/report';

run({
	async 'a POST that drops series is seen'(h) {
		const gauge = (body) => `# TYPE sold gauge\n${body}`;
		await push(settings.url, group, gauge('sold{region="eu"} 10\nsold{region="us"} 20\n'));
		for (const value of [12, 14, 11]) {
			await push(settings.url, group, gauge(`sold{region="eu"} ${value}\nsold{region="us"} 20\n`));
		}
		await push(settings.url, group, gauge('sold{region="eu"} 13\nadded 1\n'), { method: 'POST' });
		const page = await h.open();
		await h.go(page, `?group=${group}`);
		await page.getByTestId('tab-history').click();
		const entries = page.getByTestId('entry');
		await entries.first().waitFor();
		assert.equal(await entries.count(), 5);
		const last = await entries.first().innerText();
		assert.match(last, /push [^]*−1 removed[^]*\+1 added/);
		assert.match(last, /− sold\{region="us"\}/);
		assert.match(last, /\+ added/);
		assert.match(await entries.nth(1).innerText(), /push \(put\)[^]*1 changed[^]*sold\{region="eu"\} 14 → 11/);
		await picture(page, 'dropped-light');

		const plot = page.getByTestId('plots').locator('figure').filter({ hasText: 'region="eu"' });
		assert.equal(await plot.locator('b').innerText(), '13');
		assert.match(await plot.innerText(), /10 … 14/);
		const path = await plot.locator('path.line').getAttribute('d');
		assert.ok(path.match(/[ML]/g).length >= 5, `a line through five values: ${path}`);
	},

	async 'a first push is called so'(h) {
		await push(settings.url, '/job/first', 'a 1\nb 1\n');
		await h.go(h.page, '?group=/job/first&tab=history');
		assert.match(await h.page.getByTestId('entry').innerText(), /first push: 2 families/);
		await h.go(h.page, `?group=${group}&tab=history`);
	},

	async 'a refusal is in it, too'(h) {
		await push(settings.url, group, 'sold 1\nsold 2\n', { code: 400 });
		await h.page.reload();
		const entry = h.page.getByTestId('entry').first();
		assert.match(await entry.innerText(), /refus[^]*sold/);
	},
});
