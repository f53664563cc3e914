#include "file_source.hpp"

#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

namespace filetree::compare {
namespace {

constexpr std::uint64_t stat_block = 512;  // bytes; what Attributes::blocks counts

std::shared_ptr<File> open(FileSystem& fs, const std::string& path) {
    const std::atomic<bool> never{false};
    CallContext context(never);
    auto opened = fs.open_file(path, context);
    if (opened.error == EINVAL) fail_at(EINVAL, path, "not a regular file");
    if (!opened.ok()) fail_at(opened.error, path);
    return std::move(opened.value);
}

}  // namespace

void fail_at(int error, const std::string& path, const char* what) {
    const bool missing = error == ENOENT || error == ENOTDIR;
    throw CompareError(missing ? CompareFailure::not_found : CompareFailure::unreadable, error,
                       path, what);
}

FileSource::FileSource(FileSystem& fs, const std::string& path)
    : FileSource(path, open(fs, path)) {}

FileSource::FileSource(std::string name, std::shared_ptr<File> file)
    : name_(std::move(name)), file_(std::move(file)) {
    const StatResult seen = file_->opened_attributes();
    if (seen.error != 0) fail_at(seen.error, name_);
    seen_ = seen.attributes;
    if (seen_.size > 0 && file_->has_true_size()) size_ = seen_.size;
}

bool FileSource::is_same_as(const FileSource& other) const noexcept {
    return seen_.has_inode_of(other.seen_);
}

bool FileSource::may_have_holes() const noexcept { return seen_.blocks * stat_block < seen_.size; }

std::size_t FileSource::read_at(std::uint64_t offset, std::span<char> out) {
    const Result<std::size_t> read = file_->read_at(offset, out);
    if (!read.ok()) fail_at(read.error, name_);
    return read.value;
}

void FileSource::check_unchanged() {
    // What is not regular is /dev/null, whose times change with every use by others.
    if (seen_.type() != EntryType::regular) return;
    const StatResult found = file_->attributes();
    if (found.error != 0) fail_at(found.error, name_);
    const Attributes& now = found.attributes;
    const bool unchanged = now.has_inode_of(seen_) && now.size == seen_.size &&
                           now.mtime == seen_.mtime && now.ctime == seen_.ctime;
    if (!unchanged) {
        fail_at(EAGAIN, name_, "the file changed while it was compared");
    }
}

void FileSource::expect(const Attributes& earlier) {
    seen_ = earlier;
    check_unchanged();
}

bool share_all_extents(const FileSource& a, const FileSource& b) {
    if (!a.size() || a.size() != b.size() || a.seen_.device != b.seen_.device) return false;
    // The first look costs little; the second one writes out what has been changed in memory only,
    // which the first one may not have seen.
    for (const bool sync : {false, true}) {
        const std::vector<Extent> extents = a.file_->shared_extents(sync);
        if (extents.empty() || extents != b.file_->shared_extents(sync)) return false;
    }
    return true;
}

}  // namespace filetree::compare
