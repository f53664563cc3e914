#include "archive_contents.hpp"

namespace filetree::compare {

void ArchiveContents::add_file(const ArchiveEntry& entry, std::uint64_t size,
                               const ContentHash::Tag& tag) {
    File file{size, tag, 0};
    if (entry.inode) {
        Group& group = groups_[*entry.inode];
        if (group.number == 0) group.number = static_cast<std::uint32_t>(groups_.size());
        if (size > 0) {
            for (const std::string& name : group.empty) {
                auto& other = entries_[name];
                if (other && other->group == group.number) other = file;
            }
            group.empty.clear();
            group.content = file;
        } else if (group.content) {
            file = *group.content;
        } else {
            file.group = group.number;
            group.empty.push_back(entry.name);
        }
    }
    entries_[entry.name] = file;
}

bool ArchiveContents::add_link(const ArchiveEntry& link) {
    const auto target = entries_.find(link.target);
    if (target == entries_.end()) return false;
    const std::optional<File> file = target->second;
    entries_[link.name] = file;
    return true;
}

void ArchiveContents::add_skipped(const std::string& name) { entries_[name].reset(); }

const ArchiveContents::File* ArchiveContents::find(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() || !found->second ? nullptr : &*found->second;
}

}  // namespace filetree::compare
