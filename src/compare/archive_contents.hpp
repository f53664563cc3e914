#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "archive_reader.hpp"
#include "content_hash.hpp"

namespace filetree::compare {

// What is under each name of an archive, by a hash, as its entries come: the last one of a name
// wins.
class ArchiveContents {
   public:
    struct File {
        std::uint64_t size = 0;
        ContentHash::Tag tag{};
        std::uint32_t group = 0;  // 1 and up: of the files that are one inode, if it was empty
    };

    // A file whose content has been hashed.
    void add_file(const ArchiveEntry& entry, std::uint64_t size, const ContentHash::Tag& tag);
    // False when nothing is known of the target.
    [[nodiscard]] bool add_link(const ArchiveEntry& link);
    // What is no file takes a name as well.
    void add_skipped(const std::string& name);

    // Whether an entry of this name was added, whatever it is.
    [[nodiscard]] bool contains(const std::string& name) const { return entries_.contains(name); }
    // Null where there is no file of this name.
    [[nodiscard]] const File* find(const std::string& name) const;
    template <typename Visitor>
    void for_each_file(const Visitor& visit) const {
        for (const auto& [name, file] : entries_) {
            if (file) visit(name, *file);
        }
    }

   private:
    struct Group {
        std::uint32_t number = 0;
        std::vector<std::string> empty;  // names whose content is yet to come
        std::optional<File> content;
    };

    std::unordered_map<std::string, std::optional<File>> entries_;  // nothing: it is no file
    std::map<std::pair<std::uint64_t, std::uint64_t>, Group> groups_;
};

}  // namespace filetree::compare
