#include "filetree/synthetic_fs.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

namespace filetree {
namespace {

constexpr std::uint32_t names_per_read = 1024;
constexpr std::uint64_t synthetic_device = 0x5f5;
constexpr std::int64_t epoch = 1'600'000'000;  // 2020-09-13T12:26:40Z

// splitmix64's finalizer (Steele, Lea and Flood, 2014): an inode for each path.
std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

std::uint64_t child_inode(std::uint64_t parent, bool directory, std::uint32_t index) noexcept {
    const std::uint64_t slot = (std::uint64_t{index} << 1U) | (directory ? 1U : 0U);
    return (mix(parent + 0x9e3779b97f4a7c15ULL * (slot + 1)) >> 2U) + 2;
}

Attributes directory_attributes(std::uint64_t inode) noexcept {
    Attributes a;
    a.inode = inode;
    a.device = a.mount_id = synthetic_device;
    a.size = SyntheticTree::directory_size;
    a.blocks = 8;
    a.links = 2;
    a.mode = 0040755;
    a.uid = a.gid = 1000;
    a.atime = a.mtime = a.ctime = {epoch, 0};
    return a;
}

Attributes file_attributes(std::uint64_t inode, std::uint32_t index) noexcept {
    Attributes a = directory_attributes(inode);
    a.size = SyntheticTree::file_size(index);
    a.blocks = (a.size + 511) / 512;
    a.links = 1;
    a.mode = 0100644;
    a.uid = 1000 + index % 7;
    a.mtime = {epoch + index, index % 1'000'000'000U};
    return a;
}

struct SyntheticName {
    bool directory = false;
    std::uint32_t index = 0;
};

// The entry that a name stands for; its index is not yet checked against the tree's shape.
bool parse(std::string_view name, SyntheticName& out) noexcept {
    constexpr std::string_view suffix = ".dat";
    out.directory = name.starts_with('d');
    if (!out.directory) {
        if (!name.starts_with('f') || !name.ends_with(suffix)) return false;
        name.remove_suffix(suffix.size());
    }
    name.remove_prefix(1);
    if (name.size() > 1 && name.starts_with('0')) return false;  // each entry has one name
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.index);
    return error == std::errc{} && end == name.data() + name.size();
}

std::string_view format(SyntheticName entry, char (&buffer)[16]) noexcept {
    buffer[0] = entry.directory ? 'd' : 'f';
    char* end = std::to_chars(buffer + 1, buffer + sizeof buffer, entry.index).ptr;
    if (!entry.directory) end = std::copy_n(".dat", 4, end);
    return {buffer, static_cast<std::size_t>(end - buffer)};
}

// Where an entry is in the tree, and what it is.
struct Place {
    std::uint32_t level = 0;  // of a directory: 0 for the top
    std::uint64_t inode = 1;
    bool directory = true;
    std::uint32_t index = 0;
    std::uint64_t number = 0;  // of a directory, counted level by level

    [[nodiscard]] Attributes attributes() const noexcept {
        return directory ? directory_attributes(inode) : file_attributes(inode, index);
    }
};

std::uint32_t subdirectories_at(const SyntheticTree& tree, std::uint32_t level) noexcept {
    return level < tree.depth ? tree.directories : 0;
}

std::uint32_t files_in(const SyntheticTree& tree, const Place& directory) noexcept {
    return tree.files + (directory.number < tree.surplus ? 1 : 0);
}

// The entry called `name` in the directory at `parent`. An errno.
int descend(const SyntheticTree& tree, const Place& parent, std::string_view name,
            Place& out) noexcept {
    if (!parent.directory) return ENOTDIR;
    SyntheticName entry;
    if (!parse(name, entry)) return ENOENT;
    const std::uint32_t count =
        entry.directory ? subdirectories_at(tree, parent.level) : files_in(tree, parent);
    if (entry.index >= count) return ENOENT;
    out = {parent.level + 1, child_inode(parent.inode, entry.directory, entry.index),
           entry.directory, entry.index, parent.number * tree.directories + entry.index + 1};
    return 0;
}

class SyntheticDirectory final : public Directory {
   public:
    SyntheticDirectory(const SyntheticTree& tree, const Place& place)
        : tree_(tree), place_(place) {}

    Result<bool> read(Listing& out, CallContext& context) override {
        const std::uint64_t total = std::uint64_t{subdirectories()} + files_in(tree_, place_);
        const std::uint64_t end = std::min(total, position_ + names_per_read);
        char buffer[16];
        for (; position_ < end; ++position_) {
            const bool directory = position_ < subdirectories();
            const auto index =
                static_cast<std::uint32_t>(directory ? position_ : position_ - subdirectories());
            out.add(format({directory, index}, buffer),
                    directory ? EntryType::directory : EntryType::regular);
        }
        context.beat();
        return {position_ < total, 0};
    }

    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask /*mask*/,
                     StatResult* out, CallContext& context) override {
        for (std::size_t i = first; i < last; ++i, ++out) {
            if (context.stop_requested()) return i - first;
            context.at(i);
            Place place;
            out->error = descend(tree_, place_, names.name(i), place);
            if (out->error == 0) out->attributes = place.attributes();
        }
        context.beat();
        return last - first;
    }

    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        context.beat();
        using Opened = Result<std::shared_ptr<Directory>>;
        Place place;
        if (const int error = descend(tree_, place_, name, place)) return Opened::failure(error);
        if (!place.directory) return Opened::failure(ENOTDIR);
        return {std::make_shared<SyntheticDirectory>(tree_, place), 0};
    }

    StatResult attributes(CallContext& context) override {
        context.beat();
        return {place_.attributes(), 0};
    }

    bool dates_changes(const Attributes& /*attributes*/, CallContext& /*context*/) override {
        return true;
    }

   private:
    [[nodiscard]] std::uint32_t subdirectories() const noexcept {
        return subdirectories_at(tree_, place_.level);
    }

    SyntheticTree tree_;
    Place place_;
    std::uint64_t position_ = 0;
};

class SyntheticFileSystem final : public FileSystem {
   public:
    SyntheticFileSystem(const SyntheticTree& tree, std::string root)
        : tree_(tree), root_(std::move(root)) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool /*follow*/) override {
        using Opened = Result<std::shared_ptr<Directory>>;
        context.beat();
        Place place;
        if (const int error = find(path, place)) return Opened::failure(error);
        if (!place.directory) return Opened::failure(ENOTDIR);
        return {std::make_shared<SyntheticDirectory>(tree_, place), 0};
    }

    StatResult attributes(const std::string& path, bool /*follow*/, StatMask /*mask*/,
                          CallContext& context) override {
        context.beat();
        Place place;
        if (const int error = find(path, place)) return {{}, error};
        return {place.attributes(), 0};
    }

    [[nodiscard]] bool has_mounts_below(const std::string& /*path*/) const override {
        return false;
    }
    [[nodiscard]] std::size_t descriptor_budget() const override {
        return std::numeric_limits<std::size_t>::max() / 2;
    }

   private:
    [[nodiscard]] int find(std::string_view path, Place& place) const noexcept {
        place = {};
        if (root_.empty()) return 0;
        if (!path.starts_with(root_)) return ENOENT;
        path.remove_prefix(root_.size());
        if (!path.empty() && !path.starts_with('/') && !root_.ends_with('/')) return ENOENT;
        while (!path.empty()) {
            const std::size_t end = std::min(path.find('/'), path.size());
            const std::string_view name = path.substr(0, end);
            path.remove_prefix(std::min(end + 1, path.size()));
            if (name.empty()) continue;
            const Place parent = place;
            if (const int error = descend(tree_, parent, name, place)) return error;
        }
        return 0;
    }

    SyntheticTree tree_;
    std::string root_;
};

}  // namespace

std::uint64_t SyntheticTree::total_directories() const noexcept {
    std::uint64_t level = 1;
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < depth; ++i) total += level *= directories;
    return total;
}

std::uint64_t SyntheticTree::total_files() const noexcept {
    return (total_directories() + 1) * files + surplus;
}

std::uint64_t SyntheticTree::total_file_bytes() const noexcept {
    std::uint64_t in_one = 0;
    for (std::uint32_t i = 0; i < files; ++i) in_one += file_size(i);
    return (total_directories() + 1) * in_one + surplus * file_size(files);
}

SyntheticTree synthetic_tree_of(std::uint64_t files) noexcept {
    SyntheticTree tree{0, 100, 0, 0};
    if (files <= tree.files) {
        tree.files = static_cast<std::uint32_t>(files);
        return tree;
    }
    tree.directories = 10;
    while (tree.total_files() < files) ++tree.depth;
    while (tree.directories > 1) {
        SyntheticTree narrower = tree;
        --narrower.directories;
        if (narrower.total_files() < files) break;
        tree = narrower;
    }
    const std::uint64_t directories = tree.total_directories() + 1;
    tree.files = static_cast<std::uint32_t>(files / directories);
    tree.surplus = files % directories;
    return tree;
}

std::shared_ptr<FileSystem> make_synthetic_file_system(const SyntheticTree& tree,
                                                       std::string root) {
    return std::make_shared<SyntheticFileSystem>(tree, std::move(root));
}

}  // namespace filetree
