#include "record_log.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "../fs/whole_io.hpp"

namespace filetree::repair {
namespace {

constexpr std::size_t record_block_size = std::size_t{1} << 20U;

struct Header {
    std::uint32_t uid;
    std::uint32_t old_gid;
    std::uint32_t new_gid;
    std::uint32_t path_length;
    std::uint16_t old_mode;
    std::uint16_t new_mode;
    std::uint8_t kinds;
    SkipReason reason;
};

Header header_at(std::string_view bytes, std::size_t at) {
    Header header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    return header;
}

std::string temporary_directory() {
    std::error_code none;
    return std::filesystem::temp_directory_path(none).string();  // TMPDIR, else /tmp
}

}  // namespace

void RecordLog::add(const ChangeRecord& record) {
    Header header{};
    header.uid = record.uid;
    header.old_gid = record.old_gid;
    header.new_gid = record.new_gid;
    header.path_length = static_cast<std::uint32_t>(record.path.size());
    header.old_mode = static_cast<std::uint16_t>(record.old_mode);
    header.new_mode = static_cast<std::uint16_t>(record.new_mode);
    header.kinds = record.kinds;
    header.reason = record.reason;
    const std::string_view packed(reinterpret_cast<const char*>(&header), sizeof header);

    const std::lock_guard lock(mutex_);
    if (blocks_.empty() || blocks_.back().length >= record_block_size) {
        if (!blocks_.empty()) put_aside(blocks_.back());
        blocks_.push_back({.bytes = {}, .first = size_, .place = {}});
    }
    Block& block = blocks_.back();
    block.bytes.append(packed).append(record.path);
    block.length = block.bytes.size();
    ++size_;
}

std::size_t RecordLog::size() const {
    const std::lock_guard lock(mutex_);
    return size_;
}

// With the lock held, like all that follows.
void RecordLog::put_aside(Block& block) {
    kept_ += block.length;
    if (kept_ <= memory_ || !file_works_) return;
    if (!file_) file_ = open_temporary(temporary_directory()).value;
    file_works_ = file_ && write_all_at(file_.get(), file_size_, block.bytes) == 0;
    if (!file_works_) return;
    block.place = file_size_;
    file_size_ += block.length;
    block.bytes = {};
    kept_ -= block.length;
}

std::string RecordLog::content(const Block& block) const {
    if (!block.place) return block.bytes;
    std::string bytes(block.length, '\0');
    if (const int error = read_all_at(file_.get(), *block.place, bytes.data(), bytes.size())) {
        throw SystemError(error, "the temporary file of records");
    }
    return bytes;
}

std::vector<ChangeRecord> RecordLog::read(std::size_t first, std::size_t count) const {
    const std::lock_guard lock(mutex_);
    std::vector<ChangeRecord> records;
    if (first >= size_) return records;
    const std::size_t end = first + std::min(count, size_ - first);
    const auto behind = std::upper_bound(
        blocks_.begin(), blocks_.end(), first,
        [](std::size_t wanted, const Block& block) { return wanted < block.first; });
    for (auto block = behind - 1; block != blocks_.end() && block->first < end; ++block) {
        const std::string bytes = content(*block);
        std::size_t number = block->first;
        for (std::size_t at = 0; at < bytes.size() && number < end; ++number) {
            const Header header = header_at(bytes, at);
            at += sizeof header;
            if (number >= first) {
                records.push_back({bytes.substr(at, header.path_length), header.kinds,
                                   header.reason, header.uid, header.old_gid, header.new_gid,
                                   header.old_mode, header.new_mode});
            }
            at += header.path_length;
        }
    }
    return records;
}

}  // namespace filetree::repair
