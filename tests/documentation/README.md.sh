# Two trees that differ, and a mirror
mkdir -p backup/logs /srv/data/logs mirror.example.org
echo 10:00 > backup/logs/today.log
echo 10:01 > /srv/data/logs/today.log
echo remember > /srv/data/notes.txt
echo '{}' | tee backup/settings.json > /srv/data/settings.json
head -c 3000000 /dev/urandom | tee disk.img > backup/disk.img
head -c 3000000 /dev/urandom > mirror.example.org/disk.img
cp disk.img /srv/data/disk.img

# A site, on a server and in two archives, and images of which two are the same
mkdir -p site/css www.example.org
echo '<p>Hello</p>' > site/index.html
echo 'p { color: black }' > site/css/site.css
cp -r site/. www.example.org
tar -czf site.tar.gz site
python -m zipfile -c site.zip site
echo one | tee a.iso > b.iso
echo two > c.iso

# A shared folder with a file that its members cannot read
mkdir -p -m 2775 /srv/project /srv/project/results
echo 1 > /srv/project/results/run1.csv
chmod 600 /srv/project/results/run1.csv
chgrp -R 2000 /srv/project

mkdir -p /data/a /filer/b
