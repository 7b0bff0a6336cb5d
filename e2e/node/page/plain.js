// The page without JavaScript.
'use strict';

const { settings, run, picture, push, groups, eventually, assert } = require('./harness');

// shown waits until a page that is still arriving has so many groups.
const shown = (n) => eventually(`${n} groups`, async () => (await groups(page)).length, (got) => got === n);

let page;

run({
	async 'groups, search, order and pages'(h) {
		for (let i = 0; i < 60; i++) await push(settings.url, `/job/plain/instance/i${String(i).padStart(2, '0')}`, i === 30 ? 'a 1\nb 1\nc 2\n' : 'a 1\n');
		page = await h.open({ javaScriptEnabled: false });
		await h.go(page);
		await shown(50);
		await page.getByTestId('next').click();
		await shown(10);
		await page.getByTestId('page').fill('1');
		await page.getByRole('button', { name: 'Go' }).click();
		await shown(50);
		await page.getByTestId('view-jobs').click();
		assert.match(await page.getByTestId('job').innerText(), /^job=plain\s+60\s+60\s/);
		await page.locator('#q').fill('instance=i07');
		await page.getByRole('button', { name: 'Search' }).click();
		assert.match(await page.getByTestId('job').innerText(), /^job=plain\s+1\s+1\s/);
		await page.getByTestId('view-groups').click();
		assert.deepEqual(await groups(page), ['/job/plain/instance/i07']);
		await page.locator('#q').fill('instance=i07');
		await page.getByRole('button', { name: 'Search' }).click();
		assert.deepEqual(await groups(page), ['/job/plain/instance/i07']);
		await h.go(page);
		await page.getByRole('columnheader', { name: 'Series' }).getByRole('link').click();
		assert.equal((await groups(page))[0], '/job/plain/instance/i30');
		await page.getByTestId('filter-failing').click();
		await page.getByTestId('empty').waitFor();
		await picture(page, 'plain-light');
	},

	async 'one group, its history and its lines'(h) {
		await h.go(page, '?search=i30');
		await page.getByTestId('group').getByRole('link').click();
		assert.equal(await page.getByTestId('family').count(), 3);
		assert.ok(await page.locator('#delete-group').isHidden(), 'a button that does nothing');
		await page.getByTestId('tab-history').click();
		assert.equal(await page.getByTestId('entry').count(), 1);
		await page.getByTestId('tab-push').click();
		assert.ok((await page.getByTestId('push-curl').innerText()).includes(settings.url));
		await page.getByRole('link', { name: 'Groups', exact: true }).click();
	},

	async 'stream, status, and a word about live events'() {
		await page.getByRole('link', { name: 'Stream' }).click();
		assert.equal(await page.getByTestId('sequence').innerText(), '60');
		await page.getByRole('link', { name: 'Status' }).click();
		assert.match(await page.getByTestId('scrape-config').innerText(), /honor_labels: true/);
		assert.match(await page.getByTestId('flags').innerText(), /bus\.data-dir/);
		await page.getByRole('link', { name: 'Live' }).click();
		const word = page.locator('noscript p');
		assert.match(await word.innerText(), /This view needs JavaScript/);
		assert.ok(await word.isVisible());
	},
});
