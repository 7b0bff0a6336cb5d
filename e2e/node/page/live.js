// What happens, as it happens.
'use strict';

const { settings, run, picture, eventually, ask, push, assert } = require('./harness');

let page;

const gauge = (value) => `# TYPE done gauge\ndone ${value}\n`;
const events = () => page.getByTestId('event').evaluateAll((rows) => rows.filter((row) => row.offsetParent).map((row) => row.innerText.replace(/\s+/g, ' ')));
const live = () => page.getByTestId('live-state').getByText('live', { exact: true }).waitFor();

// tells waits for an event that a pattern fits.
const tells = (pattern) => eventually(`an event like ${pattern}`, events, (rows) => rows.some((row) => pattern.test(row)));

run({
	async 'pushes, deletes, refusals and expiries'(h) {
		page = await h.open();
		await h.go(page, 'live');
		await live();
		await push(settings.url, '/job/a/instance/one', gauge(1));
		await tells(/push \(put\) job=a instance=one 1 http 127\.0\.0\.1/);
		await push(settings.url, '/job/a/instance/two', gauge(1), { method: 'POST' });
		await tells(/push job=a instance=two 1 /);
		await push(settings.url, '/job/a/instance/one', 'done 1\ndone 2\n', { code: 400 });
		await tells(/refused job=a instance=one .*done/);
		await push(settings.url, '/job/unreadable', 'no metric\n', { code: 400 });
		await tells(/refused job=unreadable .*text format parsing error/);
		assert.equal((await ask('DELETE', `${settings.url}/metrics/job/a/instance/two`)).code, 202);
		await tells(/delete job=a instance=two/);
		await push(settings.url, '/job/short?ttl=1s', gauge(1));
		await tells(/expired job=short/);
		await picture(page, 'events-light');
	},

	async 'the plot of pushes a second moves'() {
		let n = 0;
		const line = () => page.locator('#rate-plot path.line').getAttribute('d');
		const before = await line();
		await eventually('more than one push a second', async () => {
			await Promise.all([...Array(8).keys()].map((i) => push(settings.url, `/job/rate/instance/${i}`, gauge(n++))));
			return page.locator('#rate-high').innerText();
		}, (text) => Number(text.match(/most: ([\d,]+)\/s/)?.[1].replace(',', '')) > 1);
		await eventually('another line', line, (path) => path !== before);
	},

	async 'pause'() {
		await page.getByTestId('pause').click();
		const before = await events();
		await push(settings.url, '/job/paused', gauge(1));
		await page.getByRole('button', { name: /Go on \(\d+\)/ }).waitFor();
		assert.deepEqual(await events(), before);
		await page.getByTestId('pause').click();
		await tells(/push \(put\) job=paused/);
	},

	async 'a filter by groups, and one by kinds'() {
		await page.getByRole('button', { name: 'Clear' }).click();
		await page.locator('#q').fill('job=wanted');
		await page.waitForURL('**/live?search=job%3Dwanted');
		await live();
		await push(settings.url, '/job/other', gauge(1));
		await push(settings.url, '/job/wanted', gauge(1));
		await tells(/job=wanted/);
		assert.equal((await events()).length, 1);
		await page.getByRole('checkbox', { name: 'pushes' }).uncheck();
		assert.equal((await events()).length, 0);
		assert.equal((await ask('DELETE', `${settings.url}/metrics/job/wanted`)).code, 202);
		await tells(/delete job=wanted/);
		await page.reload();
		assert.equal(await page.locator('#q').inputValue(), 'job=wanted');
	},

	async 'an event leads to its group'() {
		await live();
		await push(settings.url, '/job/wanted', gauge(5));
		await page.getByTestId('event').getByRole('link').first().click();
		await page.getByTestId('group-head').waitFor();
		assert.match(await page.getByTestId('family').innerText(), /done gauge 1 sample\s+5/);
	},

	async 'the stream page follows'(h) {
		await h.go(page, 'stream');
		const sequence = async () => Number((await page.getByTestId('sequence').innerText()).replaceAll(',', ''));
		const before = await sequence();
		await push(settings.url, '/job/wanted', gauge(6));
		await eventually('the next sequence', sequence, (n) => n === before + 1);
		await eventually('it is applied', () => page.getByTestId('lag').innerText(), (lag) => lag === '0');
		await page.getByTestId('cluster').getByText('this one').waitFor();
	},

	async 'the status has build, start, flags and limits'(h) {
		await h.go(page, 'status');
		assert.match(await page.getByTestId('build').innerText(), /go1\.[^]*started\s+20/);
		assert.match(await page.getByTestId('flags').innerText(), /web\.listen-address\s+127\.0\.0\.1:0/);
		assert.match(await page.getByTestId('limits').innerText(), /push\.max-series\s+\d/);
		assert.match(await page.getByTestId('scrape-config').innerText(), /honor_labels: true/);
	},
});
