#include "rules.hpp"

#include <algorithm>

namespace filetree::repair {
namespace {

constexpr std::uint32_t group_read = 0040;
constexpr std::uint32_t group_write = 0020;
constexpr std::uint32_t group_execute = 0010;

constexpr std::uint8_t bit(ChangeKind kind) noexcept {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
}

}  // namespace

Rules::Rules(const RepairOptions& options)
    : change_gids_(options.change_gids),
      group_writable_(options.force_group_writable),
      hard_links_(options.hard_links) {
    std::sort(change_gids_.begin(), change_gids_.end());
}

Verdict Rules::judge(const Attributes& entry, const WalkedDirectory* directory) const noexcept {
    Verdict verdict{entry.gid, entry.mode & permission_bits};
    const EntryType type = entry.type();
    if (type == EntryType::symlink) return verdict;
    if (unsuitable(entry)) {
        const WalkedDirectory* const giver = source(directory);
        if (giver != nullptr) verdict.gid = giver->attributes().gid;
    }
    if (type == EntryType::directory) {
        verdict.mode |= setgid_bit | group_read | group_execute;
    } else {
        if (verdict.gid != entry.gid) verdict.mode &= ~set_id_bits;
        if (type != EntryType::regular) return verdict;
        verdict.mode |= group_read;
    }
    const bool keeps_set_id = type == EntryType::regular && (verdict.mode & set_id_bits) != 0;
    if (group_writable_ && !keeps_set_id) verdict.mode |= group_write;
    return verdict;
}

bool Rules::withholds_write(const Attributes& entry, const Verdict& verdict) const noexcept {
    return group_writable_ && entry.type() == EntryType::regular &&
           (verdict.mode & set_id_bits) != 0 && (verdict.mode & group_write) == 0;
}

// The group of one that was unsuitable and has been repaired is that of one further up.
const WalkedDirectory* Rules::source(const WalkedDirectory* directory) const noexcept {
    while (directory != nullptr && unsuitable(directory->attributes())) {
        directory = directory->above();
    }
    return directory;
}

// Of any type: a device with a link outside must not be opened to the group either.
bool Rules::forbidden_by_links(const Attributes& entry) const noexcept {
    return !hard_links_ && !entry.is_directory() && entry.links > 1;
}

bool Rules::unsuitable(const Attributes& entry) const noexcept {
    return entry.gid == entry.uid || entry.gid == 0 ||
           std::binary_search(change_gids_.begin(), change_gids_.end(), entry.gid);
}

bool would_renew_setgid(const Attributes& entry, const Verdict& verdict) noexcept {
    return entry.type() == EntryType::regular && (verdict.mode & setgid_bit) != 0 &&
           verdict.changes(entry);
}

std::uint8_t kinds_of_change(const Attributes& before, std::uint32_t gid,
                             std::uint32_t mode) noexcept {
    const std::uint32_t added = mode & ~before.mode;
    const std::uint32_t removed = before.mode & ~mode & permission_bits;
    std::uint8_t kinds = 0;
    if (gid != before.gid) kinds |= bit(ChangeKind::group);
    if ((added & setgid_bit) != 0) kinds |= bit(ChangeKind::setgid);
    if ((added & ~setgid_bit) != 0) kinds |= bit(ChangeKind::permissions);
    if (removed != 0) kinds |= bit(ChangeKind::cleared);
    return kinds;
}

}  // namespace filetree::repair
